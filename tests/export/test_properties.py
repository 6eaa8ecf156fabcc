"""Metadata of graphs are exchanged as the package onnx exchanges them."""

from __future__ import annotations

import pytest

from zerosight.errors import WeightsError
from zerosight.export.properties import with_properties


def test_the_result_is_what_onnx_makes():
    onnx = pytest.importorskip("onnx")
    node = onnx.helper.make_node("Identity", ["a"], ["b"])
    ends = [onnx.helper.make_tensor_value_info(name, 1, [300]) for name in "ab"]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", ends[:1], ends[1:]))
    onnx.helper.set_model_props(model, {"old": "1", "other": "2"})
    new = {"zerosight.card": "ä" * 400, "k": ""}
    found = onnx.ModelProto.FromString(with_properties(model.SerializeToString(), new))
    onnx.helper.set_model_props(model, new)
    assert found == model


@pytest.mark.parametrize("content", [b"\x08", b"\x72\x05ab", b"\x0b\x01", b"\xff" * 12])
def test_what_is_no_graph_is_refused(content):
    with pytest.raises(WeightsError, match="damaged"):
        with_properties(content, {})

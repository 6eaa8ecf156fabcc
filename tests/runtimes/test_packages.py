"""Optional packages do not report to their makers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from zerosight.errors import MissingExtraError
from zerosight.runtimes.packages import require

RUN = """
import sys
import numpy as np
asked, values = [], np.ones(1, np.float32)
sys.addaudithook(lambda event, args: event.startswith("socket.") and asked.append(event))
from zerosight.runtimes.packages import require
runtime = require("onnxruntime", "onnx")
runtime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"]).run(None, {"x": values})
core = require("openvino", "openvino").Core()
core.compile_model(core.read_model(sys.argv[1]), "CPU")([values])
import json
print(json.dumps([sorted(set(asked)), sorted(name for name in sys.modules if "telemetry" in name.lower())]))
"""

CLOSE = """
import signal, sys
from zerosight.runtimes.openvino import open_core
models = [open_core().compile_model(sys.argv[1], "CPU") for _ in range(2)]
while models:
    models.pop(0)  # in the order of opening
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
signal.raise_signal(signal.SIGTERM)
"""


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """Return the file of a graph of one node."""
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    shapes = [helper.make_tensor_value_info(name, kind, [1]) for name in "xy"]
    made = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", shapes[:1], shapes[1:])
    opset = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(made, opset_imports=opset, ir_version=10), str(tmp_path / "graph.onnx"))
    return tmp_path / "graph.onnx"


def test_running_a_graph_leaves_no_file_and_asks_for_no_host(graph: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("openvino")
    home = tmp_path / "home"
    home.mkdir()
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "ORT_", "NNCF_"))}
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(graph)],
        env=kept | {"HOME": str(home)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    asked, modules = json.loads(done.stdout.splitlines()[-1])
    assert asked == []
    assert [name for name in modules if name.startswith("openvino_telemetry.")] == []
    assert list(home.rglob("*")) == []


def test_a_missing_package_names_the_command() -> None:
    with pytest.raises(MissingExtraError, match=r"run: pip install 'zerosight\[onnx\]'"):
        require("no_such_package", "onnx")
    assert require("json", "onnx").dumps([]) == "[]"


def test_a_signal_after_graphs_were_closed_in_any_order_is_answered(graph: Path) -> None:
    pytest.importorskip("openvino")
    done = subprocess.run([sys.executable, "-c", CLOSE, str(graph)], capture_output=True, text=True)
    assert done.returncode == 7, done.stderr

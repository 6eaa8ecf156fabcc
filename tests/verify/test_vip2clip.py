"""Our numbers are those of the published implementation."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from zerosight.errors import DataError
from zerosight.verify.preprocess import verify_preprocess
from zerosight.verify.vip2clip import verify_vip2clip

PARITY = Path(__file__).parents[1] / "parity"


def test_vip2clip_agrees_with_the_published_arrays():
    found = verify_vip2clip(PARITY / "vip2clip_small")
    assert {d.name for d in found} >= {"text", "cosine", "map_sigma8", "loss_total", "adam1.ica.ctx_pos"}
    assert [f"{d.name}: {d.largest}" for d in found if not d.ok] == []


def test_preprocess_agrees_with_the_published_arrays():
    found = verify_preprocess(PARITY / "preprocess.npz")
    assert {d.name: d.largest for d in found if not d.ok} == {}
    assert {d.name for d in found} == {"out_RGB", "out_L", "out_RGBA", "out_P", "mask_out"}


def test_a_changed_array_is_found(tmp_path):
    arrays = dict(np.load(PARITY / "preprocess.npz"))
    arrays["out_L"][0, 3, 4] += 1e-3
    np.savez(tmp_path / "changed.npz", **arrays)
    assert [d.name for d in verify_preprocess(tmp_path / "changed.npz") if not d.ok] == ["out_L"]


def test_missing_and_foreign_files_are_named(tmp_path):
    with pytest.raises(DataError, match=r"nothing\.json: cannot be read as JSON"):
        verify_vip2clip(tmp_path / "nothing")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(DataError, match=r"text\.npz: cannot be read as \.npz"):
        verify_preprocess(tmp_path / "text.npz")
    shutil.copy(PARITY / "preprocess.npz", tmp_path / "case.npz")
    (tmp_path / "case.json").write_text(json.dumps({"seed": 1}))
    with pytest.raises(DataError, match=r"case\.json: lacks"):
        verify_vip2clip(tmp_path / "case")

"""Verification against files in the parity format."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from zerosight.errors import DataError
from zerosight.verify.metrics import verify_metrics

PARITY = Path(__file__).resolve().parents[1] / "parity" / "metrics"


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    for suffix in (".npz", ".json"):
        shutil.copy(PARITY.with_suffix(suffix), tmp_path / f"run.1{suffix}")
    return tmp_path / "run.1"


def rewrite(prefix: Path, **values: object) -> None:
    Path(f"{prefix}.json").write_text(json.dumps(values))


def test_the_published_values_are_reproduced():
    differences = verify_metrics(PARITY)
    assert set(differences) == set(json.loads(PARITY.with_suffix(".json").read_text()))
    assert max(differences.values()) < 1e-9


def test_differences_are_absolute_and_undefined_values_agree_with_undefined_only(prefix):
    rewrite(prefix, auroc=0.0, pixel_auroc=1.0, ap=None)
    differences = verify_metrics(prefix)
    assert differences["auroc"] == pytest.approx(0.5555555555555556)
    assert differences["pixel_auroc"] == pytest.approx(1 - 0.9312761947752439)
    assert differences["ap"] == math.inf


def test_undefined_values_agree(prefix):
    with np.load(f"{prefix}.npz") as file:
        arrays = dict(file)
    np.savez(f"{prefix}.npz", **arrays | {"mask": np.zeros_like(arrays["mask"])})
    rewrite(prefix, pixel_auroc=None, pixel_f1=math.nan, f1=0.8571428571428571)
    assert verify_metrics(prefix) == {"pixel_auroc": 0.0, "pixel_f1": 0.0, "f1": 0.0}


def test_an_unknown_name_is_refused(prefix):
    rewrite(prefix, pixel_aurok=0.5)
    with pytest.raises(DataError, match=r"unknown metric 'pixel_aurok' \(did you mean 'pixel_auroc'\?\)"):
        verify_metrics(prefix)


@pytest.mark.parametrize("content", ["{", "[1]", '{"auroc": "high"}'])
def test_values_that_are_not_numbers_are_refused(prefix, content):
    Path(f"{prefix}.json").write_text(content)
    with pytest.raises(DataError, match=r"run\.1\.json.*must be a JSON object of numbers"):
        verify_metrics(prefix)


def test_missing_files_and_arrays_are_refused(prefix, tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*none\.npz"):
        verify_metrics(tmp_path / "none")
    np.savez(f"{prefix}.npz", score=np.zeros((1, 2, 2)))
    with pytest.raises(DataError, match="has no array 'image_score'"):
        verify_metrics(prefix)
    Path(f"{prefix}.npz").write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(DataError, match="cannot read"):
        verify_metrics(prefix)

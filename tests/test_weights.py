from __future__ import annotations

from pathlib import Path

import pytest
import torch

from zerosight.errors import ConfigError, WeightsError
from zerosight.weights import load_pickled_tensors, load_tensors, save_tensors, usable_device

CPU = torch.device("cpu")


def test_tensors_there_and_back(tmp_path: Path):
    tensors = {"a": torch.randn(3, 4).T, "b": torch.tensor([1, 2])}
    save_tensors(tensors, tmp_path / "new" / "w.safetensors")
    found = load_tensors(tmp_path / "new" / "w.safetensors")
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)


def test_missing_cut_and_foreign_files_are_refused(tmp_path: Path):
    with pytest.raises(WeightsError, match="no such file"):
        load_tensors(tmp_path / "none.safetensors")
    save_tensors({"a": torch.zeros(1000)}, tmp_path / "w.safetensors")
    whole = (tmp_path / "w.safetensors").read_bytes()
    for content in (whole[:100], whole[:-5], b"", b"hello"):
        (tmp_path / "w.safetensors").write_bytes(content)
        with pytest.raises(WeightsError, match="damaged or not a safetensors file"):
            load_tensors(tmp_path / "w.safetensors")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04cos\nsystem\n"])
def test_foreign_pickles_are_refused(tmp_path: Path, content: bytes):
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(WeightsError):
        load_pickled_tensors(tmp_path / "w.pth")


def test_a_pickled_list_is_refused(tmp_path: Path):
    torch.save([torch.zeros(1)], tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="should hold named tensors, holds a list"):
        load_pickled_tensors(tmp_path / "w.pth")


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(tmp_path: Path, odd: float):
    save_tensors({"fine": torch.ones(2), "broken": torch.tensor([0.0, odd])}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="'broken' holds NaN or infinity"):
        load_tensors(tmp_path / "w.safetensors")


@pytest.mark.parametrize("name", ["gpu", "meta", "cuda:99", ""])
def test_a_device_that_is_not_there_is_one_line(name):
    with pytest.raises(ConfigError, match=r"device .* cannot be used here .*use cpu"):
        usable_device(name)


@pytest.mark.parametrize(("there", "expected"), [(False, "cpu"), (True, "cuda")])
def test_auto_takes_a_cuda_card_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, there: bool, expected: str
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    asked = []
    monkeypatch.setattr(torch, "device", lambda name: asked.append(name) or CPU)
    assert usable_device("auto") == CPU
    assert asked == [expected]

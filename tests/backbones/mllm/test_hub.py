from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

from zerosight.backbones.mllm import hub
from zerosight.backbones.mllm.hub import FILES, find_folder, hash_files, licence_of, read_json
from zerosight.errors import WeightsError


def failing(error: Exception) -> Callable[..., str]:
    def download(*_: Any, **__: Any) -> str:
        raise error

    return download


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (GatedRepoError.__new__(GatedRepoError), "is gated; accept its terms at https://huggingface.co/a/b"),
        (RevisionNotFoundError.__new__(RevisionNotFoundError), "a/b: has no revision 'v9'"),
        (RepositoryNotFoundError.__new__(RepositoryNotFoundError), "is no folder and no public repository"),
        (ConnectionError("reset"), r"cannot be downloaded \(ConnectionError\)"),
        (
            OSError(28, "No space left on device"),
            r"cannot be downloaded \(No space left on device\)",
        ),
    ],
)
def test_what_keeps_a_model_away_is_one_line(
    error: Exception, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "snapshot_download", failing(error))
    with pytest.raises(WeightsError, match=message) as caught:
        find_folder("a/b", "v9")
    assert "\n" not in str(caught.value)


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    assert find_folder(str(tmp_path), None) == tmp_path


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "modeling_evil.py", "weights.pt", "model.pkl", "m.gguf"]
)
def test_neither_pickles_nor_code_are_downloaded(name: str) -> None:
    assert not any(fnmatch(name, pattern) for pattern in FILES)


@pytest.mark.parametrize(
    "name", ["config.json", "model-00001-of-2.safetensors", "tokenizer.model", "README.md"]
)
def test_what_a_model_needs_is_downloaded(name: str) -> None:
    assert any(fnmatch(name, pattern) for pattern in FILES)


def test_the_hash_follows_configuration_weights_and_sizes(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "a.safetensors").write_bytes(bytes(1_000_000))
    hashes = [hash_files(tmp_path)]
    (tmp_path / "README.md").write_text("changed")
    assert hash_files(tmp_path) == hashes[0]
    (tmp_path / "a.safetensors").write_bytes(bytes(999_999) + b"x")
    hashes.append(hash_files(tmp_path))
    (tmp_path / "a.safetensors").write_bytes(bytes(1_000_001))
    hashes.append(hash_files(tmp_path))
    (tmp_path / "b.safetensors").write_bytes(b"")
    hashes.append(hash_files(tmp_path))
    (tmp_path / "config.json").write_text("{ }")
    hashes.append(hash_files(tmp_path))
    assert len(set(hashes)) == 5


def test_a_known_model_has_a_licence_without_its_card(tmp_path: Path) -> None:
    assert licence_of(tmp_path, "google/medgemma-4b-it").startswith("Health AI Developer Foundations")
    assert licence_of(tmp_path, "some/one") == "unknown"


def test_json_that_is_missing_or_damaged(tmp_path: Path) -> None:
    assert read_json(tmp_path / "absent.json") == {}
    (tmp_path / "list.json").write_text("[1]")
    assert read_json(tmp_path / "list.json") == {}
    (tmp_path / "cut.json").write_bytes(b'{"a": \xff')
    with pytest.raises(WeightsError, match="is damaged"):
        read_json(tmp_path / "cut.json")

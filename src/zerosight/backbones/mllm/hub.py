"""Where a model's files are, what they hash to, and under which licence they come."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (  # type: ignore[attr-defined]
    GatedRepoError,
    HFValidationError,
    HTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from zerosight.errors import ConfigError, WeightsError, one_line
from zerosight.files import sha256
from zerosight.guarded.json import read_json as read_json_file
from zerosight.guarded.yaml import parse_yaml

OFFLINE = "without network, 'radz-tiny' needs no download"
FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "README.md")
PROBES, PROBE = 64, 4096
LARGEST_JSON = 64 * 2**20
"""Bytes of a configuration, index or tokenizer; the largest tokenizers have half of it."""
LICENCES: Mapping[str, str] = MappingProxyType(
    {
        "llava-hf/llava-1.5-7b-hf": "Llama 2 community licence",
        "llava-hf/llava-1.5-13b-hf": "Llama 2 community licence",
        "llava-hf/llava-interleave-qwen-0.5b-hf": "Tongyi Qianwen research licence: no commercial use",
        "HuggingFaceTB/SmolVLM-256M-Instruct": "apache-2.0",
        "HuggingFaceTB/SmolVLM-500M-Instruct": "apache-2.0",
        "microsoft/llava-med-v1.5-mistral-7b": "research only; not for clinical use",
        "google/medgemma-4b-it": "Health AI Developer Foundations terms (gated)",
        "google/medgemma-4b-pt": "Health AI Developer Foundations terms (gated)",
    }
)


def find_folder(model: str, revision: str | None) -> Path:
    """Return the folder with a model's files, downloaded if it is a repository that is not here yet.

    Only configurations, tokenizers and safetensors are downloaded: never pickles, never code.

    Args:
        model: A folder, or OWNER/NAME on the Hugging Face hub.
        revision: Commit, tag or branch on the hub.

    Raises:
        ConfigError: It is neither a folder nor a possible name.
        WeightsError: It is not on the hub, gated, or cannot be downloaded.
    """
    if Path(model).is_dir():
        return Path(model)
    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=list(FILES)))
    except HFValidationError:
        raise ConfigError(
            f"model: '{model}' is no folder and cannot be a repository; give a folder or OWNER/NAME"
        ) from None
    except GatedRepoError:
        raise WeightsError(
            f"{model}: is gated; accept its terms at https://huggingface.co/{model}, run `hf auth login`, "
            "and try again"
        ) from None
    except RevisionNotFoundError:
        raise WeightsError(f"{model}: has no revision '{revision}'; see its page on the hub") from None
    except RepositoryNotFoundError:
        raise WeightsError(
            f"{model}: is no folder and no public repository of the Hugging Face hub"
        ) from None
    except (OSError, HTTPError) as error:
        full = isinstance(error, OSError) and error.strerror
        reason = full or error.__class__.__name__
        raise WeightsError(
            f"{model}: cannot be downloaded ({reason}); on another machine run "
            f"`hf download {model} --local-dir FOLDER`, copy the folder here and give its path as the model; "
            f"{OFFLINE}"
        ) from None


def hash_files(folder: Path) -> str:
    """Return 16 hex digits of a folder's configuration and safetensors.

    Of every safetensors file its size and 64 evenly spread blocks are read: billions of weights in a moment,
    and any training or conversion changes some of them.
    """
    digest = hashlib.sha256()
    config = folder / "config.json"
    digest.update(sha256(config).encode())
    for path in sorted(folder.glob("*.safetensors")):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}".encode())
        with path.open("rb") as file:
            for index in range(PROBES):
                file.seek(max(0, size - PROBE) * index // (PROBES - 1))
                digest.update(file.read(PROBE))
    return digest.hexdigest()[:16]


def licence_of(folder: Path, model: str) -> str:
    """Return the licence that a model's card names, else the one known for it, else ``unknown``."""
    facts = _front_matter(folder / "README.md")
    named = facts.get("license_name") if facts.get("license") == "other" else facts.get("license")
    terms = LICENCES.get(model) or (str(named) if named else "unknown")
    link = facts.get("license_link")
    line = f"{terms} ({link})" if link and terms != "unknown" else terms
    return " ".join(line.split())[:200]


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file, or an empty one if the file is missing.

    Raises:
        WeightsError: The file is damaged.
    """
    try:
        content = read_json_file(path, LARGEST_JSON)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: is damaged ({one_line(str(error))}); download it again") from None
    return content if isinstance(content, dict) else {}


def _front_matter(path: Path) -> dict[str, Any]:
    """Return the YAML block at the top of a model card, or nothing."""
    try:
        _, block, _ = path.read_text(encoding="utf-8").split("---", 2)
        facts = parse_yaml(block)
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}

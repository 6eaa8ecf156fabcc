"""Vectors of anchors on disk: one safetensors file per model, texts and settings.

A file carries its key, the checksum of its numbers and the texts it was made of. It is written aside and
renamed, so that runs which share the folder never see a part of one; a damaged file counts as none and is
made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from zerosight.errors import CacheError, OutputError
from zerosight.files import sha256, write_atomically
from zerosight.models.llava_radz.anchors import AnchorTexts

VECTORS = "vectors"


def user_folder() -> Path:
    """Return the folder for anchors that a user's runs share unless another is given."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "zerosight" / "anchors"


def model_key(fingerprint: str, *weights: Path) -> str:
    """Return 32 hex digits that change with a base model, how it is read, and what was trained on it.

    Args:
        fingerprint: Of the multimodal model, ``mllm.fingerprint``; it does not change with training.
        weights: The files of a model folder that hold what was trained.
    """
    parts = [fingerprint, *(sha256(path) for path in weights)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


class AnchorCache:
    """A folder of anchors. A full disk is no error: vectors that cannot be kept are made again next time.

    Args:
        folder: Shared by any number of runs.

    Raises:
        CacheError: The folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CacheError(f"{folder}: the cache of anchors cannot be made ({error.strerror})") from None

    def path(self, key: str) -> Path:
        """Return the file of a key."""
        return self.folder / f"{key}.safetensors"

    def get(self, key: str) -> Float[Tensor, "vector dim"] | None:
        """Return the vectors of a key; None if there are none, or they are damaged or another key's."""
        try:
            with safe_open(self.path(key), framework="pt") as file:
                about = file.metadata() or {}
                vectors = file.get_tensor(VECTORS).clone()
        except (SafetensorError, OSError, ValueError):
            return None
        intact = vectors.ndim == 2 and vectors.dtype == torch.float32
        return vectors if intact and about.get("checksum") == _checksum(key, vectors) else None

    def put(self, key: str, vectors: Float[Tensor, "vector dim"], texts: AnchorTexts) -> None:
        """Keep the vectors of a key, with the texts for people to read."""
        about = {"key": key, "checksum": _checksum(key, vectors), "texts": json.dumps(asdict(texts))}
        with contextlib.suppress(OutputError):
            write_atomically(self.path(key), save({VECTORS: vectors.cpu().contiguous()}, metadata=about))


def _checksum(key: str, vectors: Float[Tensor, "vector dim"]) -> str:
    """Return the hash of a key and its vectors, so that a file under another's name is found out."""
    return hashlib.sha256(key.encode() + vectors.cpu().contiguous().numpy().tobytes()).hexdigest()

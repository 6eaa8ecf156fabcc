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
from safetensors.torch import save
from torch import Tensor

from zerosight.errors import CacheError, OutputError, WeightsError
from zerosight.files import cache_folder, sha256, sweep, write_atomically
from zerosight.models.llava_radz.anchors import AnchorTexts
from zerosight.weights import load_tensors, read_metadata

VECTORS, SUFFIX = "vectors", ".safetensors"


def user_folder() -> Path:
    """Return the folder for anchors that a user's runs share unless another is given.

    Raises:
        CacheError: The user has no home.
    """
    return cache_folder("anchors")


def model_key(fingerprint: str, *weights: Path) -> str:
    """Return 32 hex digits that change with a base model, how it is read, and what was trained on it.

    Args:
        fingerprint: Of the multimodal model, ``mllm.fingerprint``; it does not change with training.
        weights: The files of a model folder that hold what was trained.
    """
    parts = [fingerprint, *(sha256(path) for path in weights)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


class AnchorCache:
    """A bounded folder of anchors. When it is full, the vectors that were used longest ago make room.

    A full disk is no error: vectors that cannot be kept are made again next time.

    Args:
        folder: Shared by any number of runs.
        max_bytes: Size that all vectors together do not exceed.

    Raises:
        CacheError: The folder cannot be made.
    """

    def __init__(self, folder: Path, max_bytes: int = 2**30) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CacheError(f"{folder}: the cache of anchors cannot be made ({error.strerror})") from None

    def path(self, key: str) -> Path:
        """Return the file of a key."""
        return self.folder / f"{key}{SUFFIX}"

    def get(self, key: str) -> Float[Tensor, "vector dim"] | None:
        """Return the vectors of a key; None if there are none, or they are damaged or another key's."""
        try:
            about = read_metadata(self.path(key))
            vectors = load_tensors(self.path(key))[VECTORS].clone()
        except (WeightsError, KeyError):
            return None
        intact = vectors.ndim == 2 and vectors.dtype == torch.float32
        with contextlib.suppress(OSError):
            os.utime(self.path(key))
        return vectors if intact and about.get("checksum") == _checksum(key, vectors) else None

    def put(self, key: str, vectors: Float[Tensor, "vector dim"], texts: AnchorTexts) -> None:
        """Keep the vectors of a key, with the texts for people to read."""
        about = {"key": key, "checksum": _checksum(key, vectors), "texts": json.dumps(asdict(texts))}
        content = save({VECTORS: vectors.cpu().contiguous()}, metadata=about)
        with contextlib.suppress(OutputError, OSError):
            self._make_room(len(content))
            write_atomically(self.path(key), content)

    def _make_room(self, size: int) -> None:
        """Remove what killed runs left, and vectors until there is room for more of a size."""
        sweep(self.folder, "")
        kept = [(path.stat().st_mtime, path.stat().st_size, path) for path in self.folder.glob(f"*{SUFFIX}")]
        used = size + sum(bytes_ for _, bytes_, _ in kept)
        for _, bytes_, path in sorted(kept):
            if used <= self.max_bytes:
                break
            path.unlink(missing_ok=True)
            used -= bytes_


def user_cache() -> AnchorCache | None:
    """Return the cache that a user's runs share; None where its folder cannot be made: it is not needed."""
    try:
        return AnchorCache(user_folder())
    except CacheError:
        return None


def _checksum(key: str, vectors: Float[Tensor, "vector dim"]) -> str:
    """Return the hash of a key and its vectors, so that a file under another's name is found out."""
    return hashlib.sha256(key.encode() + vectors.cpu().contiguous().numpy().tobytes()).hexdigest()

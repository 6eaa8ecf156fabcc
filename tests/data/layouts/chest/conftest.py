"""A builder of miniatures: a tree of images and the tables beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest


@pytest.fixture
def tree(build: Callable[..., Path]) -> Callable[..., Path]:
    """Return a function that makes images (by suffix) and writes texts below one folder."""

    def make(*images: str, texts: Mapping[str, str], below: str = "") -> Path:
        root = build(*images, below=below)
        for name, text in texts.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        return root

    return make

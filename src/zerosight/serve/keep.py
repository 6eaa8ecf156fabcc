"""Keeping: images, where the person who started the server asked for it, under their hash, in its folder.

A replica of several keeps nothing, as the others would not know of it: what asks it to is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fastapi import Depends, Request

from zerosight.files import write_atomically
from zerosight.serve.jobs import ServeError
from zerosight.serve.settings import ServeSettings
from zerosight.serve.store import Store
from zerosight.serve.upload import Upload

KEPT = "images"
_MARKS = {
    b"\x89PNG": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"GIF8": ".gif",
    b"BM": ".bmp",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
    b"RIFF": ".webp",
}


def may_keep(settings: ServeSettings) -> list[Any]:
    """Return what routes depend on that keep something: that the server is no replica of several."""
    return [] if settings.replica is None else [Depends(_refuse)]


def _refuse(request: Request) -> None:
    """Refuse to keep anything.

    Raises:
        ServeError: It is asked for.
    """
    if request.method != "GET":
        raise ServeError(
            "this server is one of several replicas, which keep no marks, events or models; "
            "run zerosight serve on one machine for that",
            409,
        )


def keep_images(folder: Path, store: Store, images: Iterable[Upload]) -> None:
    """Write images into the server's folder and remember them by their hash.

    Args:
        folder: The server's.
        store: Its index.
        images: What clients sent; their names are remembered, and name no file.
    """
    for image in images:
        digest = hashlib.sha256(image.content).hexdigest()
        file = f"{KEPT}/{digest}{suffix_of(image.content)}"
        if not (folder / file).exists():
            write_atomically(folder / file, image.content)
        store.keep(digest, image.name, file)


def suffix_of(content: bytes) -> str:
    r"""Return the suffix that fits the first bytes of a file.

    >>> suffix_of(b"\xff\xd8\xff\xe0"), suffix_of(b"\0" * 128 + b"DICM"), suffix_of(b"?")
    ('.jpg', '.dcm', '.img')
    """
    if content[128:132] == b"DICM":
        return ".dcm"
    return next((suffix for mark, suffix in _MARKS.items() if content.startswith(mark)), ".img")

"""Identity: what kept results depend on, told the same way by everything that can be gone on with.

A result depends on what was asked, on the model, and on the bytes that were read. The first two hold for a
whole run: they are its settings, and a difference is refused (:func:`check_same`). Files change one by one:
each result carries the stamp of what it was made of (:func:`stamp`), and one whose stamp no longer holds is
made again, or refused where it cannot be taken back. Two runs never share a folder (:class:`FolderLock`).
"""

from __future__ import annotations

import glob
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

from zerosight.errors import OutputError
from zerosight.files import file_of, part_of, split_part
from zerosight.stores import StoreError, fetch, fingerprint, is_address

LOCK = ".zerosight.lock"
_PIECE = 1 << 16  # bytes read at a time: many files are looked at side by side
_LONGEST = 80  # characters of a difference that an error shows


def stamp(*paths: Path | str | None) -> str:
    """Return a text that changes when a file is replaced or edited, without reading it.

    It is made of each file's real place, size and time of last change, so that ten thousand files cost
    milliseconds. Take it before a file is read; :func:`seal` it when the work on the file is done.

    Args:
        paths: Files, or addresses in stores; None for one that there is none of. One that cannot be looked at
            is known by its place.

    Returns:
        16 hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=8)
    for path in paths:
        parts: tuple[object, ...] = ("none",)
        if isinstance(path, str) and is_address(path):
            parts = (path, fingerprint(split_part(path)[0]))
        elif path is not None:
            place = str(path)
            try:
                place = os.path.realpath(file_of(Path(path)))
                found = os.stat(place)
                parts = (place, found.st_size, found.st_mtime_ns)
            except (OSError, ValueError):
                parts = (place,)
        digest.update("\0".join(map(str, parts)).encode(errors="surrogatepass") + b"\n")
    return digest.hexdigest()


def seal(stamped: str, *paths: Path | str | None) -> str:
    """Return a stamp with what the files hold, so that it still holds when they were copied or moved.

    Args:
        stamped: What :func:`stamp` said before the files were read.
        paths: The same files.

    Returns:
        The stamp, a colon and 16 hexadecimal digits; the stamp alone where a file has changed since, cannot
        be read, holds several images, so that it would be read once for each, or lies in a store.
    """
    if any(is_address(path) or (path is not None and part_of(Path(path))) for path in paths):
        return stamped
    content = content_of(*paths)
    return f"{stamped}:{content}" if content and stamp(*paths) == stamped else stamped


def holds(kept: str, *paths: Path | str | None) -> bool:
    """Return whether a kept stamp, sealed or not, is still true of files.

    >>> here = Path(__file__)
    >>> holds(seal(stamp(here), here), here), holds(stamp(here), here), holds("", here)
    (True, True, False)
    """
    quick, _, content = kept.partition(":")
    return stamp(*paths) == quick or (bool(content) and content_of(*paths) == content)


def content_of(*paths: Path | str | None) -> str:
    """Return a hash of what files hold in 16 hexadecimal digits, nothing where one cannot be read."""
    digest = hashlib.blake2b(digest_size=8)
    try:
        for path in paths:
            if isinstance(path, str) and is_address(path):
                digest.update(fetch(path))
            elif path is not None:
                with file_of(Path(path)).open("rb", buffering=0) as file:
                    while piece := file.read(_PIECE):
                        digest.update(piece)
            digest.update(b"\0end of a file")
    except (OSError, ValueError, StoreError):
        return ""
    return digest.hexdigest()


def check_same(where: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to mix results of two different questions.

    Args:
        where: The folder of results.
        before: What the results that are there depend on, as JSON values.
        now: What the results to come depend on, as JSON values.

    Raises:
        OutputError: Something differs; the message names it.
    """
    changed = sorted(key for key in {**before, **now} if before.get(key) != now.get(key))
    if changed:
        values = [f"{key} was {before.get(key)!r}, is {now.get(key)!r}" for key in changed]
        shown = [value for value in values if len(value) <= _LONGEST]
        raise OutputError(
            f"{where}: was begun with another {', '.join(changed)}; use the same again, overwrite the "
            f"results, or use another folder" + (f" ({'; '.join(shown)})" if shown else "")
        )


class FolderLock:
    """Keeps a second run out of a folder; the system releases it when the process ends, however it ends.

    Args:
        folder: An existing folder.

    Raises:
        OutputError: Another run holds it, or the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOCK
        self._lock = FileLock(self.path, timeout=0, thread_local=False)
        try:
            self._lock.acquire()
        except Timeout:
            raise OutputError(
                f"{folder}: another run is writing here; wait until it has ended, or use another folder"
            ) from None
        except OSError as error:
            raise OutputError(f"{folder}: cannot be written ({error.strerror or error})") from None

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Let others in; releasing twice does nothing more."""
        if self._lock.is_locked:
            with suppress(OSError):  # some systems keep a file that is open
                self.path.unlink()  # safe while it is held: whoever waits for it looks again
            self._lock.release(force=True)


@contextmanager
def scratch_folder(parent: Path, name: str) -> Iterator[Path]:
    """Give an empty folder that is removed in the end; what killed processes left of it is removed as well.

    Args:
        parent: An existing folder.
        name: What the work is called; the folder's name begins with ``.NAME.scratch``.

    Raises:
        OutputError: The folder cannot be made.
    """
    start = f".{name}.scratch"
    for lock in parent.glob(f"{glob.escape(start)}*/{LOCK}"):  # one without a lock is just being made
        with suppress(OutputError), FolderLock(lock.parent):
            shutil.rmtree(lock.parent, ignore_errors=True)
    try:
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=start))
    except OSError as error:
        raise OutputError(f"{parent}: cannot be written ({error.strerror or error})") from None
    try:
        with FolderLock(folder):
            (folder / "work").mkdir()
            yield folder / "work"
    finally:
        shutil.rmtree(folder, ignore_errors=True)

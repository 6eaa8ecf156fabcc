"""Files: hashed, written whole or not at all, never through a link, and those that come with the package.

A file is written beside its place, under the name ``.NAME.part``, and then moved there. While it is written
it is locked, and the system ends that lock with the process, however that ends. So a leftover is known by its
missing lock: whoever writes the same file next removes it, and others sweep it up (:func:`sweep`).
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path, PurePath
from typing import BinaryIO

from zerosight.errors import CacheError, OutputError

try:
    import fcntl
except ImportError:  # Windows: leftovers of a killed process stay
    fcntl = None  # type: ignore[assignment]


_PART = re.compile(r"(.+)#(page|frame|t|row)=([0-9]{1,9}(?:\.[0-9]{1,6})?)", re.DOTALL)
_MEMBER = re.compile(r"(.+?\.(?:tar|tar\.gz|tgz))#(.+)", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """One of several images in a file.

    Attributes:
        file: The file.
        kind: ``page`` of a TIFF, ``frame`` of a DICOM file, ``t`` of a video, ``row`` of a table,
            ``member`` of an archive.
        number: Pages and frames from 1, rows from 0; of videos seconds from the beginning.
        name: Of a member its name.
    """

    file: Path
    kind: str
    number: float = 0.0
    name: str = ""


def part_of(path: Path) -> Part | None:
    """Return what a name such as ``scan.tif#page=3`` stands for; None where it is a file's own name.

    >>> part_of(Path("scan.tif#page=3"))
    Part(file=PosixPath('scan.tif'), kind='page', number=3.0, name='')
    >>> part_of(Path("scan.tif"))
    """
    name, part = split_part(str(path))
    if part is None or os.path.lexists(path):
        return None
    return Part(Path(name), *part)


def split_part(name: str) -> tuple[str, tuple[str, float, str] | None]:
    """Return a name without what says which image it is of several, and that: its kind, number and name.

    >>> split_part("scan.tif#page=3"), split_part("scan.tif")
    (('scan.tif', ('page', 3.0, '')), ('scan.tif', None))
    >>> split_part("shard.tar#a/1.jpg")
    ('shard.tar', ('member', 0.0, 'a/1.jpg'))
    """
    if "#" not in name:
        return name, None
    if found := _MEMBER.fullmatch(name):
        return found[1], ("member", 0.0, found[2])
    if found := _PART.fullmatch(name):
        return found[1], (found[2], float(found[3]), "")
    return name, None


def file_of(path: Path) -> Path:
    """Return the file that an image lies in, the path itself unless it names a part of one."""
    part = part_of(path)
    return path if part is None else part.file


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hex digits."""
    with file_of(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def packaged(*parts: str) -> Path:
    """Return where a file that comes with the package lies.

    Args:
        parts: Its folders and its name, below the package.

    >>> packaged("py.typed").is_file()
    True
    """
    return Path(__file__).parent.joinpath(*parts)


def cache_folder(name: str) -> Path:
    """Return the folder in which a user's runs keep what they share, such as ``anchors``; it may not exist.

    Raises:
        CacheError: The user has no home.
    """
    try:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:
        raise CacheError(f"there is no home for a cache of {name}; set XDG_CACHE_HOME to a folder") from None
    return Path(home) / "zerosight" / name


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never a part.

    Raises:
        OutputError: The folder cannot be written or the disk is full.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def replacing(path: Path, advice: str = "") -> Iterator[Path]:
    """Give an empty file to fill; it takes the place of ``path`` when the work ends well, or is removed.

    A link of that name is replaced, not followed. What a killed process left of the same file is removed.

    Args:
        path: The file to write or to replace; its folder is made where there is none.
        advice: What the user can do about a failure, or what is not lost by it.

    Raises:
        OutputError: The folder cannot be written or the disk is full; ``path`` is as it was.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> with replacing(folder / "words.txt") as temporary:
        ...     _ = temporary.write_text("all of them")
        >>> [file.name for file in folder.iterdir()]
        ['words.txt']
    """
    handle, temporary = -1, None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = _new_file(path)
        yield temporary
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        said = f"{path}: cannot be written ({error.strerror or error})"
        raise OutputError(f"{said}; {advice}" if advice else said) from None
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        if handle >= 0:
            os.close(handle)


@contextmanager
def locked(path: Path) -> Iterator[BinaryIO]:
    """Open a small file that processes and threads share; each waits until the one before it has ended.

    Raises:
        OSError: It cannot be opened for writing.
    """
    with open(path, "r+b", opener=_open_shared) as file:
        if fcntl is not None:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def open_lines(path: Path) -> FileIO:
    """Open a file for adding to it, unbuffered; make it if it is not there.

    Raises:
        OutputError: The path is a link, which might lead anywhere.
        OSError: It cannot be opened.
    """
    try:
        return FileIO(path, "a", opener=_open_no_link)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _is_link(path) from None
        raise


def inside(folder: Path, place: str | PurePath) -> Path:
    """Return a path in a folder after making sure that it stays there.

    Args:
        folder: May itself be reached through links: it is the user's choice.
        place: Relative to the folder.

    Raises:
        OutputError: The place, or a folder on the way to it, is a link, or it lies outside.

    >>> inside(Path("results"), "heatmaps/a.png").as_posix()
    'results/heatmaps/a.png'
    """
    relative = PurePath(place)
    if relative.is_absolute() or ".." in relative.parts:
        raise OutputError(f"{folder}: '{place}' lies outside of it")
    path = folder
    for part in relative.parts:
        path = path / part
        if path.is_symlink():
            raise _is_link(path)
    return path


def refuse_links(folder: Path) -> None:
    """Stop at the first link below a folder that others will write to by names of their own.

    Raises:
        OutputError: There is one.
    """
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            inside(Path(place), name)


def remove_leftover(temporary: Path, wait: bool = False) -> bool:
    """Remove a part of a file that nobody writes any more.

    Args:
        temporary: The part.
        wait: Until its writer, if there is one, has ended.

    Returns:
        Whether it is gone.

    Raises:
        OSError: Nobody writes it, and it cannot be removed.
    """
    if temporary.is_symlink():
        temporary.unlink(missing_ok=True)
        return True
    if fcntl is None:
        return False
    try:
        handle = os.open(temporary, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return True
    except OSError:  # another user's, perhaps at work
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # held, or a file system without locks
        os.close(handle)
        return False
    try:
        if _is_at(handle, temporary):
            temporary.unlink(missing_ok=True)
    finally:
        os.close(handle)
    return True


def sweep(folder: Path, *below: str) -> None:
    """Remove what killed processes left of files that :func:`replacing` writes; never what is being written.

    Args:
        folder: Where to look.
        below: Patterns of folders in it, such as ``"*/"``; ``""`` is the folder itself.
    """
    for pattern in below:
        for temporary in folder.glob(f"{pattern}.*.part*"):
            with suppress(OSError):
                remove_leftover(temporary)


def _new_file(path: Path) -> tuple[int, Path]:
    """Return a new file beside a path: a handle that holds its lock, and its name.

    The name is the same every time, so that leftovers do not gather; where one cannot be removed, it is a
    name that nobody has.
    """
    temporary = path.with_name(f".{path.name}.part{path.suffix}")
    while fcntl is not None:
        try:
            handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileExistsError:
            if not remove_leftover(temporary, wait=True):
                break
            continue
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        if _is_at(handle, temporary):
            return handle, temporary
        os.close(handle)  # someone took it for a leftover before it was locked
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.part", suffix=path.suffix)
    if fcntl is None:
        os.close(handle)  # no open file can be moved there
        return -1, Path(name)
    os.fchmod(handle, 0o644)
    return handle, Path(name)


def _is_at(handle: int, path: Path) -> bool:
    """Return whether an open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(path))
    except FileNotFoundError:
        return False


def _open_no_link(name: str | Path, flags: int) -> int:
    return os.open(name, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _open_shared(name: str | Path, flags: int) -> int:
    return _open_no_link(name, flags | os.O_CREAT)


def _is_link(path: Path) -> OutputError:
    return OutputError(
        f"{path}: is a link, and nothing is written through links; delete it, or use another folder"
    )

"""Stores: images and results by address (``s3://``, ``gs://``, ``az://``, ``memory://`` …), through fsspec.

An address is a text, never a path: a path would fold its two slashes into one. Work on local files imports no
package of stores. What a store refuses is one line; what it only failed at is asked again, a few times.
Credentials come from where the store's own tools find them; an address that holds any is refused, as it would
be written into results.
"""

from __future__ import annotations

import hashlib
import io
import posixpath
import re
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from zerosight.errors import DataError, MissingExtraError, one_line

TRIES, PAUSE = 5, 0.1
"""How often a store is asked, and seconds before it is asked again, twice as long every time."""
PATIENCE = 60.0
"""Seconds after which it is not asked again: some packages, as Azure's, ask many times of their own."""
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://.", re.DOTALL)
_SECRET = re.compile(r"sig|token|secret|password|credential|key$", re.IGNORECASE)
_PACKAGES = {
    **dict.fromkeys(("s3", "s3a"), "s3"),
    **dict.fromkeys(("gs", "gcs"), "gcs"),
    **dict.fromkeys(("az", "abfs", "abfss"), "azure"),
    **dict.fromkeys(("http", "https"), "http"),
}
BLOCK = 1 << 16
"""Bytes read at once where only the beginning is wanted."""
_HANDS = 16  # objects that are sent or removed at a time
R = TypeVar("R")


class StoreError(DataError):
    """A store cannot be reached, refuses, or does not have what was asked for."""


class RefusedError(StoreError):
    """A store says no; asking again would not help."""


class MissingError(RefusedError):
    """A store has no such object."""


def is_address(name: object) -> bool:
    """Return whether a name is an address in a store, and not a local path.

    >>> is_address("s3://bucket/a.png"), is_address("C:\\\\a.png"), is_address("a.png")
    (True, False, False)
    """
    return isinstance(name, str) and _ADDRESS.match(name) is not None


def local(name: str) -> str:
    """Return the path that a ``file://`` address stands for, any other name as it is.

    >>> local("file:///data/a%20b.png"), local("s3://bucket/a.png")
    ('/data/a b.png', 's3://bucket/a.png')
    """
    return unquote(urlsplit(name).path) if name.startswith("file://") else name


def place(name: str | Path) -> Path | str:
    """Return an address as it is, and any other name as a path.

    >>> place("s3://bucket/a.png"), place("a.png")
    ('s3://bucket/a.png', PosixPath('a.png'))
    """
    return name if isinstance(name, str) and is_address(name) else Path(name)


def join(address: str, name: str) -> str:
    """Return the address of something below another, or beside it.

    Raises:
        StoreError: The name leaves the store; the message does not name the address.

    >>> join("s3://bucket/set", "a.png"), join("s3://bucket/set", "../images"), join("s3://bucket/set", ".")
    ('s3://bucket/set/a.png', 's3://bucket/images', 's3://bucket/set')
    """
    scheme, _, place = address.partition("://")
    bucket, _, above = place.partition("/")
    inside = posixpath.normpath(posixpath.join(above, name))
    if name.startswith("/") or inside.split("/")[0] == "..":
        raise StoreError("should be relative, and lie in the same store")
    return f"{scheme}://{bucket}" if inside == "." else f"{scheme}://{bucket}/{inside}"


def fetch(address: str, start: int = 0, end: int | None = None) -> bytes:
    """Return what an object holds, whole or from one byte to another.

    Raises:
        StoreError: It cannot be had; the message says why.
        MissingExtraError: A package is missing.
    """
    system, path = _system(address)
    if end is not None:
        part: bytes = _patiently(address, lambda: system.cat_file(path, start=start, end=end))
        return part
    size = _patiently(address, lambda: system.info(path)).get("size")

    def read() -> bytes:
        content: bytes = system.cat_file(path)
        if size is not None and size != len(content):
            raise EOFError(f"{len(content):,} of {size:,} bytes came")
        return content

    return _patiently(address, read)


def is_there(address: str) -> bool:
    """Return whether a store has an object.

    Raises:
        StoreError: It cannot be asked.
    """
    system, path = _system(address)
    try:
        _patiently(address, lambda: system.info(path))
    except MissingError:
        return False
    return True


def look(address: str, read: Callable[[Any], R]) -> R:
    """Return what is read from an object by one who seeks in it; parts of it are fetched.

    Args:
        address: The object.
        read: Takes an open file; called again where the store has failed.

    Raises:
        StoreError: It cannot be had; the message says why.
    """
    system, path = _system(address)

    def ask() -> R:
        with system.open(path, "rb") as file:
            return read(file)

    return _patiently(address, ask)


def receive(address: str, path: Path) -> None:
    """Fetch an object into a file.

    Raises:
        StoreError: It cannot be had; the message says why.
    """
    system, place = _system(address)
    _patiently(address, lambda: system.get_file(place, str(path)))


def put(address: str, content: bytes) -> None:
    """Write an object, the whole of it or nothing; one that is there is replaced.

    Raises:
        StoreError: The store does not take it; the message says why.
    """
    system, path = _system(address)
    _patiently(address, lambda: system.pipe_file(path, content), "written to")


def send(files: Iterable[tuple[Path, str]]) -> Iterator[Path]:
    """Write files as objects, some at a time, and yield each file that is there.

    Args:
        files: Files and their addresses, all in one store.

    Raises:
        StoreError: The store does not take one; the message says why.
    """

    def one(file: Path, address: str, system: Any, path: str) -> Path:
        _patiently(address, lambda: system.put_file(str(file), path), "written to")
        return file

    yield from _side_by_side([(file, address, *_system(address)) for file, address in files], one)


def remove(addresses: Iterable[str]) -> None:
    """Remove objects, those that are there.

    Raises:
        StoreError: The store refuses.
    """

    def one(address: str, system: Any, path: str) -> None:
        with suppress(MissingError):
            _patiently(address, lambda: system.rm_file(path), "written to")

    for _ in _side_by_side([(address, *_system(address)) for address in addresses], one):
        pass


def _side_by_side(work: list[tuple[Any, ...]], one: Callable[..., R]) -> Iterator[R]:
    """Yield the results of what is done on several threads, in order."""
    with ThreadPoolExecutor(_HANDS, thread_name_prefix="store") as pool:
        yield from pool.map(one, *zip(*work, strict=True)) if work else ()


@contextmanager
def opened(address: str, block: int = BLOCK) -> Iterator[io.BufferedReader]:
    """Open an object of which only the beginning is wanted, or some places in their order.

    Args:
        address: The object.
        block: Bytes that are fetched at a time.

    Raises:
        StoreError: It cannot be had; the message says why.
    """
    system, path = _system(address)
    with (
        _patiently(address, lambda: system.open(path, "rb", block_size=block)) as file,
        io.BufferedReader(file, BLOCK) as reader,
    ):
        yield reader


def walk(address: str) -> Iterator[str]:
    """Yield the addresses of all objects below an address, or its own where it is an object's.

    They come as the store lists them, page by page; S3 lists a bucket in the order of its keys. Elsewhere the
    names of one folder are held at a time.

    Raises:
        StoreError: It cannot be listed, or there is nothing.
    """
    system, path = _system(address)
    scheme = address.split("://", 1)[0]
    count = 0
    for name in _names(address, system, path):
        count += 1
        yield name if is_address(name) else f"{scheme}://{name.lstrip('/')}"
    if not count:
        raise MissingError(f"{one_line(address)}: there is nothing at this address")


def fingerprint(address: str) -> str:
    """Return what changes when an object is replaced, without reading it: its tag, or its size and time.

    It is empty where the store cannot be asked.
    """
    with suppress(StoreError, MissingExtraError):
        system, path = _system(address)
        facts = _patiently(address, lambda: system.info(path))
        told = [facts.get(key) for key in ("ETag", "etag", "md5Hash", "crc32c", "size")]
        told += [facts.get(key) for key in ("LastModified", "mtime", "updated", "last_modified", "created")]
        return hashlib.blake2b(repr(told).encode(), digest_size=8).hexdigest()
    return ""


def _names(address: str, system: Any, path: str) -> Iterator[str]:
    """Yield what a store has below a path, folders left out."""
    if "s3" in system.protocol:
        yield from _keys(address, system, path)
        return
    if _patiently(address, lambda: system.isfile(path)):
        yield path
        return
    folders = [path]
    while folders:
        here = folders.pop()
        listed = _patiently(address, partial(system.ls, here, detail=True))
        found = sorted(listed, key=lambda one: one["name"])
        yield from (one["name"] for one in found if one["type"] != "directory")
        folders += [one["name"] for one in reversed(found) if one["type"] == "directory"]
        system.invalidate_cache()


def _keys(address: str, system: Any, path: str) -> Iterator[str]:
    """Yield the keys of a bucket below a path, a page at a time; a page that fails is asked for again."""
    bucket, _, key = path.partition("/")
    if key and not key.endswith("/") and _patiently(address, lambda: system.isfile(path)):
        yield path
        return
    prefix = key if not key or key.endswith("/") else f"{key}/"
    ask = partial(system.call_s3, "list_objects_v2", Bucket=bucket, Prefix=prefix)
    page = _patiently(address, ask)
    while True:
        keys = (one["Key"] for one in page.get("Contents", ()))
        yield from (f"{bucket}/{name}" for name in keys if not name.endswith("/"))
        if not page.get("IsTruncated"):
            return
        page = _patiently(address, partial(ask, ContinuationToken=page["NextContinuationToken"]))


def _system(address: str) -> tuple[Any, str]:
    """Return the store of an address and the place in it.

    Raises:
        StoreError: The address holds a secret, or is of no known kind.
        MissingExtraError: The package for this kind is not installed.
    """
    scheme = address.split("://", 1)[0]
    parts = urlsplit(address)
    secret = next((key for key, _ in parse_qsl(parts.query) if _SECRET.search(key)), None)
    if parts.password or (scheme in ("http", "https") and parts.username) or secret:
        raise StoreError(
            f"{scheme}://{parts.hostname}{one_line(parts.path)}: the address holds a secret "
            f"({secret or 'a password'}), which would be written into the results; "
            "give it to the store's own settings, or fetch the file first"
        )
    try:
        import fsspec

        return fsspec.core.url_to_fs(address, use_listings_cache=False)
    except ImportError:
        extra = _PACKAGES.get(scheme, "s3")
        raise MissingExtraError(
            f"{scheme}:// needs another package; run: pip install 'zerosight[{extra}]'"
        ) from None
    except ValueError as error:
        if scheme in _PACKAGES:
            raise StoreError(
                f"{one_line(address)}: the store cannot be opened ({_reason(error)}); set account and "
                "credentials as for the store's own tools"
            ) from None
        raise StoreError(f"{one_line(address)}: no such kind of store ({one_line(str(error), 80)})") from None


def _patiently(address: str, ask: Callable[[], R], used: str = "read") -> R:
    """Return what a store answers; what it only failed at is asked again.

    Args:
        address: What is asked about.
        ask: Asks.
        used: What cannot be done to a store that fails.

    Raises:
        StoreError: It refuses, or fails every time.
    """
    begun = time.monotonic()
    for attempt in range(1, TRIES + 1):
        try:
            return ask()
        except Exception as error:  # every store has errors of its own
            refusal = _refusal(error)
            if refusal is None and attempt < TRIES and time.monotonic() - begun < PATIENCE:
                time.sleep(PAUSE * 2 ** (attempt - 1))
                continue
            said = f"the store cannot be {used} ({_reason(error)}); check the address and the network"
            kind = RefusedError if refusal else StoreError
            kind = MissingError if isinstance(error, FileNotFoundError) else kind
            raise kind(f"{one_line(address)}: {refusal or said}") from None
    raise AssertionError


def _refusal(error: Exception) -> str | None:
    """Return why asking again would not help; None where it may."""
    name = type(error).__name__
    if isinstance(error, FileNotFoundError):
        return "there is no such object or bucket"
    if "Credential" in name:
        return "no credentials were found; set them as for the store's own tools, such as AWS_PROFILE"
    told = [getattr(error, name, None) for name in ("status", "status_code", "code")]
    told.append(getattr(getattr(error, "response", None), "status_code", None))
    forbidden = isinstance(error, PermissionError) or str(error).startswith("Forbidden: ")  # gcsfs's words
    if forbidden or any(one in (401, 403) for one in told if isinstance(one, int)):
        return "access is denied; check the credentials, and what they may do here"
    if isinstance(error, IsADirectoryError):
        return "is a folder; give an image file"
    if isinstance(error, NotImplementedError):
        return "this kind of store is not written to; name another, or a folder"
    return None


def _reason(error: Exception) -> str:
    """Return what an error says, in one line, without what looks like a credential."""
    text = one_line(str(error) or type(error).__name__, 120)
    return re.sub(
        r"(?i)((?:key|token|secret|signature|credential|password)[^=:]{0,20}[=:] ?)\S+", r"\1…", text
    )

"""Tar archives from strangers: where the files in one lie, told by its headers alone.

Nothing is unpacked, and no more is read than headers and names of honest length. Links, devices and folders
are passed over. Python's own reader takes what a header says of its length into memory, whatever that is.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from zerosight.errors import DamagedError, one_line

BLOCK = 512
_LONGEST = 1 << 16  # bytes of a name, or of what is said about a file
_LARGEST = 1 << 60  # bytes of a file that no archive holds
_FREE, _THINNEST = 2**30, 200  # bytes that unpack from anything, and then at most so many from one
_REGULAR = (b"\0", b"0", b"7")
_ATTRIBUTE = re.compile(rb"[0-9]{1,7} (path|size)=([^\n\0]*)\n")


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file in an archive.

    Attributes:
        name: As the archive has it.
        offset: Where its content begins, in bytes.
        size: Bytes of its content.
    """

    name: str
    offset: int
    size: int


def tar_members(file: io.BufferedIOBase) -> Iterator[Member]:
    """Yield the regular files of an archive, in its order.

    Args:
        file: The archive, open; it is read from its beginning and not closed.

    Raises:
        DamagedError: It is no such archive, or damaged; also after some of the files.
    """
    at, said = 0, dict[bytes, bytes]()
    while True:
        file.seek(at)
        head = file.read(BLOCK)
        if not head.strip(b"\0"):
            if at:
                return
            raise DamagedError("is empty")
        size, kind = content_size(head, at), head[156:157]
        at += BLOCK
        if kind in (b"L", b"x", b"X"):
            if size > _LONGEST:
                raise DamagedError(f"holds a name of {size:,} bytes")
            said |= _names(kind, file.read(size))
        else:
            if kind == b"S":
                raise DamagedError("holds sparse files, which are not read")
            if kind in _REGULAR:
                size = _number(said.get(b"size", b""), size)
                yield Member(_name(head, said), at, size)
            said = {}
        at += -(-size // BLOCK) * BLOCK


def packed_members(
    file: io.BufferedIOBase | io.BufferedReader, largest: int
) -> Iterator[tuple[Member, io.BufferedIOBase]]:
    """Yield the regular files of an archive that is packed by gzip, and each time the archive, open there.

    It is unpacked as far as it is asked for, in little memory.

    Args:
        file: The packed archive, open; it is read from where it is to its end and not closed.
        largest: Bytes of a file; passing over one costs the time of unpacking it.

    Raises:
        DamagedError: It cannot be unpacked, is no such archive, or unpacks to very much more than it is.
    """
    try:
        with gzip.GzipFile(fileobj=file, mode="rb") as inside:  # noqa: TID251  # this is the door
            for member in tar_members(inside):
                if member.size > largest:
                    raise DamagedError(
                        f"holds a file of {member.size:,} bytes; at most {largest:,} are unpacked"
                    )
                if member.offset > max(_FREE, _THINNEST * file.tell()):
                    raise DamagedError(f"unpacks to more than {_THINNEST} times its size; unpack it first")
                yield member, inside
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DamagedError(f"cannot be unpacked ({one_line(str(error), 80)}); replace the file") from None


def content_size(head: bytes, at: int = 0) -> int:
    """Return how many bytes follow a header.

    Args:
        head: The header, 512 bytes.
        at: Where it lies, for the message.

    Raises:
        DamagedError: It is no header.
    """
    blank = head[:148] + b" " * 8 + head[156:]
    sums = _octal(head[148:156])
    if len(head) < BLOCK or sums != sum(blank):
        raise DamagedError(
            f"is no plain tar archive, or damaged after {at:,} bytes; one that is packed is to be called "
            ".tar.gz or .tgz, or unpacked first"
        )
    field = head[124:136]
    large = field[0] & 0x80  # a number too large for digits
    size = int.from_bytes(field[1:], "big") if large else _octal(field)
    if not 0 <= size <= _LARGEST:
        raise DamagedError(f"is damaged after {at:,} bytes: a file of no honest length")
    return size


def _octal(field: bytes) -> int:
    digits = field.strip(b" \0")
    return int(digits, 8) if re.fullmatch(rb"[0-7]+", digits) else -1 if digits else 0


def _number(text: bytes, otherwise: int) -> int:
    return int(text) if re.fullmatch(rb"[0-9]{1,18}", text) else otherwise


def _names(kind: bytes, content: bytes) -> dict[bytes, bytes]:
    """Return what is said about the next file: by GNU its name alone, else its attributes."""
    if kind == b"L":
        return {b"path": content.split(b"\0")[0]}
    return {found[1]: found[2] for found in _ATTRIBUTE.finditer(content)}


def _name(head: bytes, said: dict[bytes, bytes]) -> str:
    """Return a file's name; what is not UTF-8 comes as of files."""
    name = said.get(b"path")
    if name is None:
        name, above = head[:100].split(b"\0")[0], head[345:500].split(b"\0")[0]
        if above and head[257:263] == b"ustar\0":
            name = above + b"/" + name
    return name.decode(errors="surrogateescape")

"""Archives from strangers: regular files only, links to nothing followed, lines of honest length."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TextIO, runtime_checkable
from xml.etree import ElementTree

from zerosight.errors import DamagedError, one_line

LONGEST_LINE = 16 * 2**20
"""Characters of a line of a table."""


def tar_files(path: Path, ending: str, most: int) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the regular files of a tar archive, packed or not, in its order.

    Args:
        path: The archive.
        ending: What names should end with, in lower case.
        most: Bytes of a file that are read.

    Raises:
        DamagedError: It cannot be unpacked.
    """
    try:
        with tarfile.open(path) as archive:  # noqa: TID251  # this is the door
            for member in archive:
                if member.isreg() and member.name.lower().endswith(ending):
                    file = archive.extractfile(member)
                    if file is not None:
                        yield member.name, file.read(most)
    except (OSError, EOFError, tarfile.TarError, zlib.error, ValueError, KeyError, RecursionError) as error:
        raise DamagedError(f"it cannot be unpacked ({one_line(str(error), 120)})") from None


_UNPACKABLE = (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile, RuntimeError)
"""What an archive may be refused with: cut, locked, or packed in a way that Python lacks."""


@contextmanager
def packed_text(path: Path) -> Iterator[TextIO]:
    """Open a text in UTF-8, unpacked as it is read where it is packed in ``.gz``, or alone in ``.zip``.

    Raises:
        OSError: It cannot be opened.
        DamagedError: It cannot be unpacked, or is not alone; also raised while it is read.
    """
    suffix = path.suffix.lower()
    try:
        if suffix == ".gz":
            with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:  # noqa: TID251
                yield file
        elif suffix == ".zip":
            with zipfile.ZipFile(path) as archive:  # noqa: TID251  # this is the door
                names = archive.namelist()
                if len(names) != 1:
                    raise DamagedError(f"it holds {len(names)} files, expected the table alone; unpack it")
                with archive.open(names[0]) as packed:
                    yield io.TextIOWrapper(packed, encoding="utf-8-sig", newline="")
        else:
            with path.open(encoding="utf-8-sig", newline="") as file:
                yield file
    except _UNPACKABLE as error:
        raise DamagedError(f"it cannot be unpacked ({one_line(str(error), 120)})") from None


def zip_names(path: Path) -> list[str]:
    """Return the names in a zip archive; none where it is no archive or cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:  # noqa: TID251  # this is the door
            return archive.namelist()
    except (OSError, ValueError, *_UNPACKABLE):
        return []


def parse_xml(content: bytes) -> ElementTree.Element:
    """Return the root of an XML document.

    Raises:
        DamagedError: It is not XML, or in an encoding that no XML is in.
    """
    try:
        return ElementTree.fromstring(content)  # noqa: TID251  # this is the door
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError) as error:
        raise DamagedError(f"it is not XML ({one_line(str(error), 120)})") from None


@runtime_checkable
class TextLines(Protocol):
    """An open text, whatever it is unpacked from."""

    def readline(self, size: int = -1, /) -> str:
        """Return the next line, or its beginning."""
        ...


def short_lines(file: TextLines) -> Iterator[str]:
    """Yield the lines of an open text, which may be unpacked as it is read.

    Raises:
        DamagedError: A line is longer than any honest one.
    """
    while line := file.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE:
            raise DamagedError(f"a line is longer than {LONGEST_LINE:,} characters")
        yield line

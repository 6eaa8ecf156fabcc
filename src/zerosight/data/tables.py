"""Tables of images: Parquet files, and Arrow files as ``datasets.save_to_disk`` writes them.

The images are a column of bytes, alone or beside a path. Of a Parquet table a group of rows is read, of an
Arrow file (a stream of batches) one batch after another. The package ``datasets`` is not needed, and no
pickle is read.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any, TypeVar

from zerosight.data.forward import Forward
from zerosight.errors import ImageReadError, MissingExtraError, one_line
from zerosight.files import Part
from zerosight.stores import is_address, look, opened

LARGEST = 256 * 2**20
"""Bytes of an image's file."""
MOST = 10_000_000
"""Images of a shard."""
AT_ONCE = 4 * 2**20
"""Bytes of a shard in a store that are fetched at a time."""
_GROUP = 2**30  # bytes of a group of rows, or of a batch
_GROUPS = 2  # that are kept of a table
_COLUMNS = ("image", "img", "jpg", "jpeg", "png", "webp", "pixel_values", "photo", "picture", "bytes")
_MAGIC = b"ARROW1\0\0"  # before the batches in the form with an index at the end
R = TypeVar("R")


class MissingParquetError(MissingExtraError, ImageReadError):
    """A table cannot be read for want of a package; other images may be readable."""


class Parquet:
    """A Parquet table of which a few groups of rows are kept; threads may share it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = RLock()
        self._groups: OrderedDict[int, Any] = OrderedDict()
        self._firsts: list[int] = []  # row at which each group begins, and the end
        self._column = ""

    def names(self, is_image: Callable[[str], bool]) -> Iterator[str]:
        """Yield the names of all rows."""
        with self._lock:
            self._open()
        for row in range(self._firsts[-1]):
            yield f"row={row}"

    def read(self, part: Part) -> bytes:
        """Return the image's file in a row."""
        row = int(part.number)
        with self._lock:
            self._open()
            if part.kind != "row" or row >= self._firsts[-1]:
                raise ImageReadError(f"is not in the table, which has {self._firsts[-1]:,} rows, from 0 on")
            group = next(i for i, first in enumerate(self._firsts[1:]) if row < first)
            value = self._group(group)[row - self._firsts[group]].as_py()
        return _content(value)

    def _open(self) -> None:
        """Find the column and the groups."""
        if self._firsts:
            return
        self._column, sizes = self._ask(_layout)
        if sum(sizes) > MOST:
            raise ImageReadError(f"holds {sum(sizes):,} rows, at most {MOST:,} are read")
        self._firsts = [sum(sizes[:number]) for number in range(len(sizes) + 1)]

    def _group(self, number: int) -> Any:
        if number not in self._groups:
            self._groups[number] = self._ask(lambda table: _column_of(table, number, self._column))
            while len(self._groups) > _GROUPS:
                self._groups.popitem(last=False)
        return self._groups[number]

    def _ask(self, read: Callable[[Any], R]) -> R:
        """Return what is read from the open table."""
        _require()
        from pyarrow.parquet import ParquetFile

        def ask(file: Any) -> R:
            with _damage_told(), ParquetFile(file) as table:
                return read(table)

        return look(self._name, ask) if is_address(self._name) else ask(self._name)


class Arrow:
    """An Arrow file of which a few batches of rows are kept; threads may share it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._batches = Forward(self._read, lambda batch: batch[1].nbytes)

    def names(self, is_image: Callable[[str], bool]) -> Iterator[str]:
        """Yield the names of all rows."""
        for last, (first, _) in self._read():
            yield from (f"row={row}" for row in range(first, last + 1))

    def read(self, part: Part) -> bytes:
        """Return the image's file in a row."""
        row = int(part.number)
        try:
            if part.kind != "row":
                raise IndexError
            first, images = self._batches.get(row)
        except IndexError:
            raise ImageReadError("is not in the table, which has fewer rows") from None
        return _content(images[row - first].as_py())

    def _read(self) -> Iterator[tuple[int, tuple[int, Any]]]:
        """Yield the batches: the last row of each, its first row, and its images."""
        _require()
        import pyarrow as pa

        first = 0
        address = is_address(self._name)
        with _damage_told(), opened(self._name, AT_ONCE) if address else pa.memory_map(self._name) as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                file.seek(0)
            messages = pa.ipc.MessageReader.open_stream(file)
            schema = pa.ipc.read_schema(_next(messages))
            column = schema.get_field_index(_image_column(schema))
            while message := _next(messages):
                images = _images(message, schema, column)
                yield first + len(images) - 1, (first, images)
                first += len(images)
                if first > MOST:
                    raise ImageReadError(f"holds more than {MOST:,} rows")


def _require() -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise MissingParquetError("tables need pyarrow; run: pip install 'zerosight[parquet]'") from None


@contextmanager
def _damage_told() -> Iterator[None]:
    """Turn what pyarrow says of a damaged table into one line."""
    from pyarrow import ArrowException

    try:
        yield
    except (ArrowException, OSError, LookupError, ValueError, struct.error) as error:
        if isinstance(error, ImageReadError):
            raise
        reason = one_line(str(error) or type(error).__name__, 80)
        raise ImageReadError(f"is a damaged table ({reason}); replace the file") from None


def _content(value: Any) -> bytes:
    """Return the bytes in a cell."""
    if isinstance(value, dict):
        value = value.get("bytes")
    if value is None:
        raise ImageReadError("holds no bytes: the row is empty, or names a file elsewhere")
    if len(value) > LARGEST:
        raise ImageReadError(f"is too large: {len(value):,} bytes, at most {LARGEST:,} are read")
    return bytes(value)


def _image_column(schema: Any) -> str:
    """Return the name of the column of images."""
    import pyarrow.types as types

    found = []
    for field in schema:
        inner = field.type
        if types.is_struct(inner) and inner.get_field_index("bytes") >= 0:
            inner = inner.field("bytes").type
        if types.is_binary(inner) or types.is_large_binary(inner):
            found.append(field.name)
    if not found:
        raise ImageReadError(
            "has no column of images; looked for one of bytes, or of bytes beside a path as Hugging Face's"
        )
    return next((name for name in _COLUMNS if name in found), found[0])


def _layout(table: Any) -> tuple[str, list[int]]:
    """Return a Parquet table's column of images, and the rows of each of its groups."""
    about = table.metadata
    sizes = [about.row_group(number).num_rows for number in range(about.num_row_groups)]
    return _image_column(table.schema_arrow), sizes


def _column_of(table: Any, number: int, column: str) -> Any:
    """Return the images of a group of rows."""
    size = table.metadata.row_group(number).total_byte_size
    if size > _GROUP:
        raise ImageReadError(
            f"holds a group of rows of {size:,} bytes, at most {_GROUP:,} are read at a time"
        )
    return table.read_row_group(number, columns=[column])[column]


def _next(messages: Any) -> Any:
    """Return the next message of an Arrow file, None at its end."""
    try:
        return messages.read_next_message()
    except StopIteration:
        return None


def _images(message: Any, schema: Any, column: int) -> Any:
    """Return the images of a batch, whose lengths and places were checked."""
    from pyarrow import ipc

    if message.type != "record batch" or _is_packed(message.metadata.to_pybytes()):
        raise ImageReadError(
            "holds packed columns, which are not read; write it with save_to_disk, or as Parquet"
        )
    if message.body.size > _GROUP:
        raise ImageReadError(
            f"holds a batch of {message.body.size:,} bytes, at most {_GROUP:,} are read at a time"
        )
    images = ipc.read_record_batch(message, schema).column(column)
    images.validate(full=True)  # or a place beyond the file would be read
    return images


def _is_packed(head: bytes) -> bool:
    """Return whether a batch's head (a FlatBuffer) says that its columns unpack to more than is there."""

    def field(table: int, number: int) -> int:
        """Return where a field of a table lies, 0 where it is left out."""
        facts = table - struct.unpack_from("<i", head, table)[0]
        if 4 + 2 * number >= struct.unpack_from("<H", head, facts)[0]:
            return 0
        place: int = struct.unpack_from("<H", head, facts + 4 + 2 * number)[0]
        return place and table + place

    batch = field(struct.unpack_from("<I", head, 0)[0], 2)  # of a message its header
    return bool(field(batch + struct.unpack_from("<I", head, batch)[0], 3))  # of a batch its compression

"""Metadata of an ONNX file exchanged without the package ``onnx``, for machines that only run graphs.

An ONNX file is one protobuf message: a row of fields, each a tag (number and kind) and a value. Metadata are
the fields with number 14, each a message of a key (field 1) and a text (field 2). Everything else is copied
as it stands.

Source: ``onnx.proto`` of ONNX 1.x, messages ModelProto and StringStringEntryProto.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from zerosight.errors import WeightsError

METADATA, KEY, TEXT = 14, 1, 2
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5


def with_properties(content: bytes, properties: Mapping[str, str]) -> bytes:
    """Return an ONNX file with these metadata in place of its own.

    Args:
        content: The file.
        properties: Texts by key.

    Raises:
        WeightsError: It is no row of fields.

    >>> list(_fields(with_properties(b"", {"a": "b"})))
    [(14, 0, 8)]
    """
    kept = b"".join(content[start:end] for number, start, end in _fields(content) if number != METADATA)
    entries = (_bytes(KEY, key.encode()) + _bytes(TEXT, text.encode()) for key, text in properties.items())
    return kept + b"".join(_bytes(METADATA, entry) for entry in entries)


def _fields(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the number of every field, and where it starts and ends."""
    at = 0
    while at < len(content):
        start = at
        tag, at = _read_varint(content, at)
        kind = tag & 7
        if kind == _VARINT:
            _, at = _read_varint(content, at)
        elif kind == _BYTES:
            length, at = _read_varint(content, at)
            at += length
        elif kind in (_EIGHT, _FOUR):
            at += 8 if kind == _EIGHT else 4
        else:
            raise WeightsError("the graph is damaged: it holds a field of no known kind; export it again")
        if at > len(content):
            raise WeightsError("the graph is damaged: it is cut off; export it again")
        yield tag >> 3, start, at


def _read_varint(content: bytes, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, and where it ends."""
    value = shift = 0
    while at < len(content) and shift < 70:
        byte = content[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
        shift += 7
    raise WeightsError("the graph is damaged: a number does not end; export it again")


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def _bytes(number: int, value: bytes) -> bytes:
    """Return a field that holds bytes."""
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value

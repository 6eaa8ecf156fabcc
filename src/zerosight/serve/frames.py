"""Frames: what the server and its model processes send each other, a JSON object and any number of blobs.

A frame is two 4-byte lengths (of the JSON text, and of the list of blob lengths in it), the text, the blobs::

    length of JSON | JSON with "blobs": [n1, n2, …] | n1 bytes | n2 bytes | …

Nothing is pickled: a process that has gone wrong can send nonsense, but no code.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from io import BufferedIOBase
from typing import Any

from zerosight.guarded.json import parse_json

_LENGTH = struct.Struct("<I")
_LONGEST_HEAD = 256 << 20


@dataclass(frozen=True, slots=True)
class Frame:
    """One message.

    Attributes:
        head: JSON values.
        blobs: Bytes that belong to it, in an order that the head explains.
    """

    head: dict[str, Any]
    blobs: Sequence[bytes] = field(default_factory=list)


class BrokenFrame(Exception):
    """The other side sent something that is no frame."""


def pack(frame: Frame) -> Iterable[bytes]:
    """Yield the bytes of a frame in pieces.

    >>> b"".join(pack(Frame({"a": 1}, [b"xy"])))
    b'\\x16\\x00\\x00\\x00{"a": 1, "blobs": [2]}xy'
    """
    head = json.dumps({**frame.head, "blobs": [len(blob) for blob in frame.blobs]}).encode()
    yield _LENGTH.pack(len(head)) + head
    yield from frame.blobs


def read_frame(file: BufferedIOBase) -> Frame | None:
    """Return the next frame of a file, None at its end.

    Raises:
        BrokenFrame: The bytes are no frame, or end within one.
    """
    start = file.read(_LENGTH.size)
    if not start:
        return None
    head, sizes = _parse(_exactly(file, _size(start)))
    return Frame(head, [_exactly(file, size) for size in sizes])


async def receive_frame(stream: asyncio.StreamReader) -> Frame | None:
    """Return the next frame of a stream, None where it ends, even within a frame.

    Raises:
        BrokenFrame: The bytes are no frame.
    """
    try:
        head, sizes = _parse(await stream.readexactly(_size(await stream.readexactly(_LENGTH.size))))
        return Frame(head, [await stream.readexactly(size) for size in sizes])
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def _size(start: bytes) -> int:
    if len(start) != _LENGTH.size:
        raise BrokenFrame("ends within a length")
    size = int(_LENGTH.unpack(start)[0])
    if size > _LONGEST_HEAD:
        raise BrokenFrame(f"a head of {size} bytes")
    return size


def _parse(head: bytes) -> tuple[dict[str, Any], list[int]]:
    try:
        values = parse_json(head)
        return values, [int(size) for size in values.pop("blobs")]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenFrame(f"head is no JSON object with blobs ({error})") from None


def _exactly(file: BufferedIOBase, size: int) -> bytes:
    content = file.read(size)
    if len(content) != size:
        raise BrokenFrame(f"ends after {len(content)} of {size} bytes")
    return content

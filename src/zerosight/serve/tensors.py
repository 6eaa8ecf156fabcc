"""Tensors of the Open Inference Protocol: named arrays, in JSON or as bytes after it.

A request is a JSON object, and after it, if the header ``Inference-Header-Content-Length`` tells where the
JSON ends, the bytes of those inputs whose ``binary_data_size`` says so. An answer is laid out alike. A tensor
of ``BYTES`` holds texts or files: in binary each with its length before it in 4 bytes, in JSON as text, files
in base64.

Source: Open Inference Protocol v2 (KServe), with the binary tensor data extension.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from zerosight.errors import one_line
from zerosight.serve.jobs import ServeError

HEADER_LENGTH = "inference-header-content-length"
DataType = Literal["BYTES", "UINT8", "FP32", "BOOL"]
_NUMBERS: dict[str, str] = {"UINT8": "u1", "FP32": "<f4", "BOOL": "?"}
_LENGTH = struct.Struct("<I")


class InputTensor(BaseModel):
    """One input as it stands in the JSON of a request."""

    name: str = Field(max_length=100)
    shape: list[int] = Field(min_length=1, max_length=8)
    datatype: DataType
    parameters: dict[str, Any] = {}
    data: list[Any] | None = None


class WantedOutput(BaseModel):
    """An output that a request names."""

    name: str = Field(max_length=100)
    parameters: dict[str, Any] = {}


class InferRequest(BaseModel):
    """A request for inference."""

    id: str | None = Field(None, max_length=300)
    inputs: list[InputTensor] = Field(min_length=1, max_length=8)
    outputs: list[WantedOutput] | None = None
    parameters: dict[str, Any] = {}


class OutputTensor(BaseModel):
    """One output as it stands in the JSON of an answer; ``data`` is missing where bytes follow."""

    name: str
    shape: list[int]
    datatype: DataType
    parameters: dict[str, Any] | None = None
    data: list[Any] | None = None


class InferAnswer(BaseModel):
    """An answer to a request for inference."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[OutputTensor]


@dataclass(frozen=True, slots=True)
class Tensor:
    """A named array, or a list of texts or files.

    Attributes:
        name: Its name.
        datatype: What it holds.
        shape: Its sides.
        values: An array of numbers, or for ``BYTES`` a flat list.
    """

    name: str
    datatype: DataType
    shape: tuple[int, ...]
    values: np.ndarray | list[bytes]


def read_request(body: bytes, json_length: str | None) -> tuple[InferRequest, dict[str, Tensor]]:
    """Return a request and its inputs by name.

    Args:
        body: JSON, and the bytes of tensors after it.
        json_length: The header that tells where the JSON ends; None where it is all.

    Raises:
        ServeError: It is no request, or sizes and shapes contradict each other.
    """
    if json_length is not None and not (json_length.isdigit() and int(json_length) <= len(body)):
        raise ServeError(f"{HEADER_LENGTH}: {one_line(json_length, 30)!r} is no length within the body")
    end = len(body) if json_length is None else int(json_length)
    try:
        request = InferRequest.model_validate_json(body[:end])
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise ServeError(one_line(f"{where}: {problem['msg']}")) from None
    rest, tensors = memoryview(body)[end:], {}
    for tensor in request.inputs:
        size = tensor.parameters.get("binary_data_size")
        if size is None:
            tensors[tensor.name] = _from_json(tensor)
            continue
        if type(size) is not int or not 0 <= size <= len(rest):
            raise ServeError(f"input '{tensor.name}': binary_data_size does not fit the body")
        tensors[tensor.name] = _from_bytes(tensor, bytes(rest[:size]))
        rest = rest[size:]
    if len(rest):
        raise ServeError(f"{len(rest)} bytes follow the last tensor; check {HEADER_LENGTH}")
    return request, tensors


def write_answer(
    head: Mapping[str, Any], tensors: Sequence[Tensor], binary: set[str]
) -> tuple[bytes, int | None]:
    """Return the bytes of an answer, and where its JSON ends if tensors follow it.

    Args:
        head: What the answer says but for its outputs.
        tensors: The outputs.
        binary: Names of those that follow as bytes.
    """
    listed, following = [], []
    for tensor in tensors:
        entry: dict[str, Any] = {
            "name": tensor.name,
            "shape": list(tensor.shape),
            "datatype": tensor.datatype,
        }
        if tensor.name in binary:
            following.append(_to_bytes(tensor))
            entry["parameters"] = {"binary_data_size": len(following[-1])}
        else:
            entry["data"] = _to_json(tensor)
        listed.append(entry)
    text = json.dumps({**head, "outputs": listed}).encode()
    return text + b"".join(following), len(text) if following else None


def _from_json(tensor: InputTensor) -> Tensor:
    flat = _flat(tensor.data or [])
    count = _count(tensor)
    if len(flat) != count:
        raise ServeError(f"input '{tensor.name}': {len(flat)} values for a shape of {count}")
    if tensor.datatype == "BYTES":
        return Tensor(tensor.name, "BYTES", tuple(tensor.shape), [_bytes(tensor.name, v) for v in flat])
    try:
        values = np.asarray(flat, dtype=_NUMBERS[tensor.datatype])
    except (ValueError, TypeError, OverflowError):
        raise ServeError(f"input '{tensor.name}': holds values that are no {tensor.datatype}") from None
    return Tensor(tensor.name, tensor.datatype, tuple(tensor.shape), values.reshape(tensor.shape))


def _from_bytes(tensor: InputTensor, content: bytes) -> Tensor:
    count = _count(tensor)
    if tensor.datatype == "BYTES":
        values = _split(tensor.name, content)
        if len(values) != count:
            raise ServeError(f"input '{tensor.name}': {len(values)} values for a shape of {count}")
        return Tensor(tensor.name, "BYTES", tuple(tensor.shape), values)
    kind = np.dtype(_NUMBERS[tensor.datatype])
    if len(content) != count * kind.itemsize:
        raise ServeError(
            f"input '{tensor.name}': {len(content)} bytes for {count} values of {tensor.datatype}"
        )
    array = np.frombuffer(content, kind).reshape(tensor.shape)
    return Tensor(tensor.name, tensor.datatype, tuple(tensor.shape), array)


def _count(tensor: InputTensor) -> int:
    if any(side < 0 or side > 1 << 30 for side in tensor.shape):
        raise ServeError(f"input '{tensor.name}': the sides of a shape are at least 0")
    return math.prod(tensor.shape)


def _flat(values: list[Any]) -> list[Any]:
    """Return the values of a list of lists of …, in order."""
    while values and isinstance(values[0], list):
        if not all(isinstance(value, list) for value in values):
            raise ServeError("data: lists and values are mixed")
        values = [value for inner in values for value in inner]
    return values


def _bytes(name: str, value: Any) -> bytes:
    """Return a text of JSON as bytes: files come in base64, names as they are."""
    if not isinstance(value, str):
        raise ServeError(f"input '{name}': BYTES in JSON are texts, got {type(value).__name__}")
    if name != "image":
        return value.encode()
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ServeError(f"input '{name}': files in JSON are base64; or send binary tensors") from None


def _split(name: str, content: bytes) -> list[bytes]:
    """Return the elements of a binary tensor of ``BYTES``."""
    values, place = [], 0
    while place < len(content):
        if place + _LENGTH.size > len(content):
            raise ServeError(f"input '{name}': ends within a length")
        size = _LENGTH.unpack_from(content, place)[0]
        place += _LENGTH.size
        if place + size > len(content):
            raise ServeError(f"input '{name}': an element of {size} bytes does not fit")
        values.append(content[place : place + size])
        place += size
    return values


def _to_bytes(tensor: Tensor) -> bytes:
    if isinstance(tensor.values, list):
        return b"".join(_LENGTH.pack(len(value)) + value for value in tensor.values)
    return np.ascontiguousarray(tensor.values, _NUMBERS[tensor.datatype]).tobytes()


def _to_json(tensor: Tensor) -> list[Any]:
    if isinstance(tensor.values, list):
        return [value.decode() for value in tensor.values]
    return [round(v, 6) if isinstance(v, float) else v for v in tensor.values.reshape(-1).tolist()]

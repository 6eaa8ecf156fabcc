"""Uploads: the images of a multipart form, held in memory only, under the server's limits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from zerosight.data.rows import check_name
from zerosight.errors import DataError, one_line
from zerosight.serve.jobs import ServeError
from zerosight.serve.settings import Limits

IMAGES = "images"
GONE = 499
_LONGEST_NAME, _LONGEST_LABELS = 300, 4000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a form.

    Attributes:
        name: What the client calls it, in one printable line; it names nothing on this machine.
        content: Its bytes.
    """

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """What a client sent.

    Attributes:
        images: The files.
        fields: Other fields, by name.
    """

    images: list[Upload]
    fields: Mapping[str, str]


def form_schema(*fields: str, required: bool = True) -> dict[str, Any]:
    """Return what OpenAPI says of a form with images and further text fields."""
    properties: dict[str, Any] = {
        IMAGES: {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": int(required)}
    }
    properties |= {name: {"type": "string"} for name in fields}
    schema = {"type": "object", "properties": properties, "required": [IMAGES] if required else []}
    return {"requestBody": {"content": {"multipart/form-data": {"schema": schema}}, "required": True}}


async def read_form(request: Request, limits: Limits, *fields: str, required: bool = True) -> Form:
    """Return the images and fields of a request; nothing of them touches the disk.

    Args:
        request: Its body has not been read.
        limits: On the number of images.
        fields: Names of text fields that may be there.
        required: Whether at least one image must be there.

    Raises:
        ServeError: It is no form, has other fields, or too many or no images.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise ServeError(f"send multipart/form-data with the field '{IMAGES}', one file or many", 415)
    parser = MultiPartParser(
        request.headers,
        request.stream(),
        max_files=limits.files,
        max_fields=len(fields) + 1,
        max_part_size=limits.body,
    )
    parser.spool_max_size = limits.body + 1
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, UnicodeError) as error:
        reason = getattr(error, "message", None) or "it is damaged"
        raise ServeError(f"the form cannot be read: {one_line(str(reason))}") from None
    try:
        found = _contents(form, fields)
    finally:
        await form.close()
    if required and not found.images:
        raise ServeError(f"no image; send at least one file in the field '{IMAGES}'")
    return found


def _contents(form: FormData, fields: tuple[str, ...]) -> Form:
    """Return the images and the known fields.

    Raises:
        ServeError: There are others.
    """
    images: list[Upload] = []
    texts: dict[str, str] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            if name not in fields:
                known = ", ".join((IMAGES, *fields))
                raise ServeError(f"unknown field {one_line(name, 60)!r}; known: {known}")
            texts[name] = value
        elif name != IMAGES:
            raise ServeError(f"unknown file {one_line(name, 60)!r}; send images as '{IMAGES}'")
        else:
            images.append(Upload(clean_name(value.filename or "", len(images)), value.file.read()))
    return Form(images, texts)


def clean_name(name: str, index: int = 0) -> str:
    r"""Return a client's name for a file in one printable line.

    >>> clean_name("a\nb.png"), clean_name("", 2)
    ('a b.png', 'image 2')
    """
    return one_line(name, _LONGEST_NAME) or f"image {index}"


def relative_name(name: str) -> str:
    """Return a client's name for an image as one that stays below any folder: itself, or its last part.

    >>> relative_name("good/a.png"), relative_name("/etc/a.png"), relative_name("../..")
    ('good/a.png', 'a.png', 'unnamed')
    """
    try:
        check_name("image", name)
        return name
    except DataError:
        return name.replace("\\", "/").rsplit("/", 1)[-1].lstrip(".") or "unnamed"


def read_labels(text: str) -> list[str]:
    """Return the names in a list joined by commas.

    Raises:
        ServeError: It is too long.
    """
    if len(text) > _LONGEST_LABELS:
        raise ServeError(f"labels: {len(text)} characters, at most {_LONGEST_LABELS}")
    return [" ".join(name.split()) for name in text.split(",") if name.strip()]


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """Return what the work gives, and drop it when the client goes away.

    Raises:
        ServeError: The client is gone.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ServeError("the client closed the connection", GONE)
    finally:
        for one in (task, gone):
            one.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass

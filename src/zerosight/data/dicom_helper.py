"""A process of its own in which gdcm decodes, so that damaged frames end it and not ours.

Run as a script by :mod:`zerosight.data.dicom_decoders`, with nothing of ours imported. It reads and writes,
in turn, a line of JSON and as many bytes as the line says.
"""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Any, BinaryIO

MEMORY = 3 * 2**30
"""Bytes of address space: three images of 178 million pixels of 16 bits, and the packages."""


def main() -> None:
    """Answer until the input ends."""
    _limit_memory()
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while line := source.readline():
        options = json.loads(line)  # noqa: TID251  # from our own parent
        content = source.read(options.pop("bytes"))
        try:
            values = _decode(content, options)
        except Exception as error:
            _answer(sink, {"error": type(error).__name__}, b"")
            continue
        _answer(sink, {"shape": values.shape, "dtype": values.dtype.str}, values.tobytes())


def _decode(content: bytes, options: dict[str, Any]) -> Any:
    """Return the values of one frame in the coding that the options name."""
    from pydicom.encaps import encapsulate
    from pydicom.pixels import get_decoder  # type: ignore[attr-defined]

    decoder = get_decoder(options.pop("syntax"))
    return decoder.as_array(encapsulate([content]), index=0, decoding_plugin="gdcm", **options)[0]


def _answer(sink: BinaryIO, head: dict[str, Any], content: bytes) -> None:
    sink.write(json.dumps(head | {"bytes": len(content)}).encode() + b"\n")
    sink.write(content)
    sink.flush()


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):  # not every system has such limits
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()

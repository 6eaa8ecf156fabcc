"""Which decoder reads which DICOM coding, and where it runs.

Pillow and OpenJPEG refuse damaged frames with an error and run here. gdcm, which alone reads JPEG Lossless
and JPEG-LS, ends the process on some of them, so it runs in a helper process with limits of time and memory,
one per process, started with the first such image and used for all.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import get_decoder  # type: ignore[attr-defined]
from pydicom.pixels.utils import as_pixel_options
from pydicom.uid import UID, JPEGLossless, JPEGLosslessSV1, JPEGLSTransferSyntaxes

from zerosight.errors import ImageReadError, MissingExtraError
from zerosight.guarded.json import parse_json

TIME = 30.0
"""Seconds for one frame, after which the helper is ended."""
_ELSEWHERE = frozenset((JPEGLossless, JPEGLosslessSV1, *JPEGLSTransferSyntaxes))
_HERE = ("pylibjpeg", "pillow", "pydicom")
_HELPER = Path(__file__).with_name("dicom_helper.py")


class MissingDecoderError(MissingExtraError, ImageReadError):
    """An image is compressed in a way that no installed decoder knows; other images may be readable."""


def decode_frame(dataset: Dataset, frame: bytes) -> np.ndarray:
    """Return the stored values of a coded frame, (H, W) or (H, W, 3); YBR as RGB.

    Args:
        dataset: The elements that describe the pixels, with the coded pixels.
        frame: The coded frame, checked by :mod:`zerosight.data.dicom_frame`.

    Raises:
        ImageReadError: The coding is not read, or the decoder ended or took too long.
        MissingDecoderError: It needs a package that is not installed.
    """
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise ImageReadError(
            f"is coded as {syntax.name}, which is not read; export it uncompressed"
        ) from None
    if syntax in _ELSEWHERE:
        if importlib.util.find_spec("gdcm") is None:
            raise _missing(syntax)
        return _helper(os.getpid()).decode(frame, _options(dataset, syntax))
    plugin = next((name for name in _HERE if name in decoder.available_plugins), None)
    if plugin is None:
        raise _missing(syntax)
    return decoder.as_array(dataset, decoding_plugin=plugin, **as_pixel_options(dataset))[0]


def _missing(syntax: UID) -> MissingDecoderError:
    return MissingDecoderError(
        f"is coded as {syntax.name}, and needs a decoder; run: pip install 'zerosight[dicom]'"
    )


def _options(dataset: Dataset, syntax: UID) -> dict[str, Any]:
    """Return what the decoder needs to know, as JSON values."""
    return {
        "syntax": str(syntax),
        "rows": int(dataset.Rows),
        "columns": int(dataset.Columns),
        "samples_per_pixel": int(dataset.SamplesPerPixel),
        "photometric_interpretation": str(dataset.PhotometricInterpretation),
        "planar_configuration": int(dataset.PlanarConfiguration),
        "bits_allocated": int(dataset.BitsAllocated),
        "bits_stored": int(dataset.BitsStored),
        "pixel_representation": int(dataset.PixelRepresentation),
        "number_of_frames": 1,
        "pixel_keyword": "PixelData",
    }


class _Helper:
    """One helper process; a new one is started where the last was ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()

    def decode(self, frame: bytes, options: dict[str, Any]) -> np.ndarray:
        """Return the values of a frame; errors as for :func:`decode_frame`."""
        with self._turn:
            process = self._running()
            timer = threading.Timer(TIME, process.kill)
            timer.start()
            try:
                head, content = _ask(process, options | {"bytes": len(frame)}, frame)
            except (OSError, ValueError):
                self.end()
                late = "took too long" if timer.finished.is_set() else "ended"
                raise ImageReadError(
                    f"is a damaged DICOM file (its decoder {late}); export it again"
                ) from None
            finally:
                timer.cancel()
        if "error" in head:
            raise ImageReadError(f"is a damaged DICOM file ({head['error']}); export it again")
        return np.frombuffer(content, head["dtype"]).reshape(head["shape"])

    def end(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.end()
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(_HELPER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # its complaints may quote the file
                env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        return self._process


def _ask(
    process: subprocess.Popen[bytes], head: dict[str, Any], frame: bytes
) -> tuple[dict[str, Any], bytes]:
    """Return the helper's answer: a line and what it announces.

    Raises:
        ValueError: The answer ends early.
        OSError: The helper is gone.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(head).encode() + b"\n" + frame)
    process.stdin.flush()
    answer: dict[str, Any] = parse_json(process.stdout.readline())
    content = process.stdout.read(answer["bytes"])
    if len(content) < answer["bytes"]:
        raise ValueError("cut short")
    return answer, content


@cache
def _helper(process_id: int) -> _Helper:
    """Return the helper of a process: a forked child must not talk to its parent's."""
    helper = _Helper()
    atexit.register(helper.end)
    return helper

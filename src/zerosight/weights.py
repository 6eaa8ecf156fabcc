"""Weight files in and out: safetensors, and foreign pickles read without running what is in them."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from zerosight.errors import WeightsError
from zerosight.files import write_atomically


def load_pickled_tensors(path: Path) -> dict[str, Any]:
    """Return what a ``torch.save`` file holds, refusing anything but tensors and plain containers.

    Raises:
        WeightsError: The file is missing, cut short, or would have to run code to be read.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other pickle protocols: refused below, if at all
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise WeightsError(
            f"{path}: holds more than tensors and would have to run code to be read; it was not opened"
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise WeightsError(f"{path}: is damaged or not a PyTorch file ({reason})") from None
    if not isinstance(content, dict):
        raise WeightsError(f"{path}: should hold named tensors, holds a {type(content).__name__}")
    return content


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file.

    Raises:
        WeightsError: The file is missing, cut short or not safetensors.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such file")
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path}: is damaged or not a safetensors file ({error})") from None


def save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors as safetensors, all of the file or nothing.

    Raises:
        OutputError: The folder cannot be written or the disk is full.
    """
    write_atomically(
        path, save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    )

"""Weight files in and out: safetensors, and foreign pickles read without running what is in them."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open  # noqa: TID251  # this is the door
from safetensors.torch import load_file, save  # noqa: TID251
from torch import Tensor

from zerosight.errors import ConfigError, WeightsError, one_line
from zerosight.files import write_atomically

_DEEPEST = 20  # modules inside modules; no network of use here comes near


def load_pickled_tensors(path: Path) -> dict[str, Any]:
    """Return what a ``torch.save`` file holds, refusing anything but tensors and plain containers.

    Raises:
        WeightsError: The file is missing, cut short, or would have to run code to be read.
    """
    content = _unpickled(path)
    if not isinstance(content, dict):
        raise WeightsError(f"{path}: should hold named tensors, holds a {type(content).__name__}")
    return content


class _Inert:
    """Stands for a module in a pickle: keeps what it held, and has nothing that could run."""


def load_pickled_module(path: Path, classes: Iterable[str]) -> dict[str, Tensor]:
    """Return the tensors of a module that was pickled as a whole, by their names in its state.

    No class that the file names is ever looked up: those allowed are replaced by one that only keeps what it
    is given, and a file that names others is refused.

    Args:
        path: What ``torch.save`` made of a module.
        classes: Full names of the classes that it may be made of.

    Raises:
        WeightsError: The file is missing, cut short, or made of something else.
    """
    with torch.serialization.safe_globals([(_Inert, name) for name in classes]):
        content = _unpickled(path)
    tensors: dict[str, Tensor] = {}
    waiting = [("", content)]
    while waiting:
        prefix, module = waiting.pop()
        parts = [getattr(module, name, None) for name in ("_parameters", "_buffers", "_modules")]
        if prefix.count(".") > _DEEPEST or not all(isinstance(part, dict) for part in parts):
            raise WeightsError(f"{path}: should hold a module, holds a {type(module).__name__}")
        own, buffers, modules = (dict(part) for part in parts if isinstance(part, dict))
        tensors |= {f"{prefix}{k}": v for k, v in (own | buffers).items() if isinstance(v, Tensor)}
        waiting += [(f"{prefix}{name}.", inner) for name, inner in modules.items()]
    check_finite(tensors, str(path))
    return tensors


def _unpickled(path: Path) -> Any:
    """Return what a ``torch.save`` file holds, as far as that is allowed.

    Raises:
        WeightsError: The file is missing, cut short, or would have to run code to be read.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other pickle protocols: refused below, if at all
            return torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251  # this is the door
    except pickle.UnpicklingError:
        raise WeightsError(
            f"{path}: holds more than tensors and would have to run code to be read; it was not opened"
        ) from None
    except Exception as error:  # a hostile pickle raises anything at all
        reason = one_line(str(error), 120)
        raise WeightsError(f"{path}: is damaged or not a PyTorch file ({reason})") from None


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file.

    Raises:
        WeightsError: The file is missing, cut short or not safetensors, or holds NaN.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such file")
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        reason = one_line(str(error), 160)
        raise WeightsError(f"{path}: is damaged or not a safetensors file ({reason})") from None
    check_finite(tensors, str(path))
    return tensors


def read_metadata(path: Path) -> dict[str, str]:
    """Return the texts that a safetensors file holds beside its tensors.

    Raises:
        WeightsError: The file is missing, cut short or not safetensors.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such file")
    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        reason = one_line(str(error), 160)
        raise WeightsError(f"{path}: is damaged or not a safetensors file ({reason})") from None


def check_finite(tensors: Mapping[str, Tensor], source: str) -> None:
    """Refuse weights that are no numbers, as a training that diverged leaves them.

    Args:
        tensors: By name.
        source: What to call their origin in an error.

    Raises:
        WeightsError: One holds NaN or infinity.
    """
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise WeightsError(
                f"{source}: '{one_line(name, 80)}' holds NaN or infinity, so the model would say nothing; "
                "train it again or get it anew"
            )


def check_sizes(tensors: Mapping[str, Tensor], sizes: Mapping[str, tuple[str, int]], path: Path) -> None:
    """Refuse a card that asks for other sizes than the weights have, before a model is made of them.

    Args:
        tensors: The weights, by name.
        sizes: What the card says, by its key: the name of the tensor whose first axis it is, and the size.
        path: Of the weights.

    Raises:
        WeightsError: They differ, or there is no such tensor.
    """
    for key, (name, size) in sizes.items():
        tensor = tensors.get(name)
        found = len(tensor) if tensor is not None and tensor.ndim else None
        if found != size:
            raise WeightsError(f"{path}: does not fit its card: {key} is {size} there, {found} in '{name}'")


def save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors as safetensors, all of the file or nothing.

    Raises:
        OutputError: The folder cannot be written or the disk is full.
    """
    write_atomically(
        path, save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    )


def usable_device(name: torch.device | str) -> torch.device:
    """Return a device that this machine computes on.

    Args:
        name: ``cpu``, ``cuda``, ``cuda:1``, ``mps`` …; ``auto`` is a CUDA card if there is one, else the CPU.

    Raises:
        ConfigError: There is no such device here.

    >>> usable_device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, ValueError) as error:  # what torch raises without a driver, too
        reason = one_line(str(error), 120)
        raise ConfigError(
            f"device {str(name)[:40]!r} cannot be used here ({reason}); use cpu, or cuda on a machine "
            "with such a graphics card and its driver"
        ) from None
    return device

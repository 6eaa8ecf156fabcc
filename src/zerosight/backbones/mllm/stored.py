"""A stranger's model folder, weighed before it is opened: its safetensors, and what its config.json asks for.

transformers believes a configuration: it follows an index to whatever files the index names, pickles and
files elsewhere included, loads adapters and kernels from other places, and makes modules of any size before
it looks at a weight. So the index is held to safetensors in the folder, keys that lead elsewhere are refused,
and the configuration is built without memory and weighed against the weights that are really there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForImageTextToText, PreTrainedConfig

from zerosight.errors import DamagedError, WeightsError, one_line
from zerosight.guarded.json import parse_json, read_json_object

INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"
_HEADER = 100_000_000  # bytes; the limit of safetensors itself
_LARGEST_INDEX = 64 * 2**20
_MOST_LAYERS = 1_000  # of any tower or decoder: the largest models have a tenth
_LARGEST = 2**31  # of any whole number in a configuration
_SPARE = 4  # how many weights one stored number may become: four bits each in one byte, and ties
_FREE = 4_000_000  # weights that any model may have beyond its files: positions, frequencies, ties
_ELSEWHERE = ("transformers_weights", "adapter_config", "peft_config")


def weight_files(folder: Path) -> tuple[Path, ...]:
    """Return the safetensors files that hold a folder's model.

    Raises:
        WeightsError: There are none, or the index names something else than safetensors in the folder.
    """
    if (folder / "adapter_config.json").exists():
        raise WeightsError(f"{folder}: holds an adapter to another model; give the folder of a whole model")
    if (folder / SINGLE).is_file():
        return (folder / SINGLE,)
    index = folder / INDEX
    if not index.is_file():
        raise WeightsError(f"{folder}: has no {SINGLE}; pickled weights are never opened, get safetensors")
    try:
        named = read_json_object(index, _LARGEST_INDEX).get("weight_map")
    except (OSError, DamagedError) as error:
        raise WeightsError(f"{index}: is damaged ({one_line(str(error))}); download it again") from None
    if not isinstance(named, dict) or not named:
        raise WeightsError(f"{index}: should say in 'weight_map' which file holds which weight")
    names = {name if isinstance(name, str) else "" for name in named.values()}
    odd = sorted(n for n in names if Path(n).name != n or "\\" in n or not n.endswith(".safetensors"))
    if odd:
        raise WeightsError(
            f"{index}: names '{one_line(odd[0], 80)}'; only safetensors in the same folder are opened"
        )
    lost = sorted(name for name in names if not (folder / name).is_file())
    if lost:
        raise WeightsError(
            f"{folder}: lacks '{one_line(lost[0], 80)}', which its index names; download it again"
        )
    return tuple(folder / name for name in sorted(names))


def check_values(values: Any, source: str) -> None:
    """Refuse a configuration that leads elsewhere, or whose numbers no model has.

    Args:
        values: What config.json holds.
        source: What to call the model in an error.

    Raises:
        WeightsError: As above.
    """
    for key, value in _entries(values):
        named = f"{source}: its config.json says {one_line(key, 60)}"
        if key in _ELSEWHERE and value:
            raise WeightsError(f"{named}, which leads to other files; such models are not opened")
        if key.endswith("attn_implementation") and isinstance(value, str) and "/" in value:
            raise WeightsError(f"{named} '{one_line(value, 60)}', which is code of others; it is never run")
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        most = _MOST_LAYERS if "layers" in key or key == "depth" else _LARGEST
        if not -_LARGEST <= value <= most:
            raise WeightsError(f"{named} {one_line(str(value), 40)}, at most {most} is believed")


def check_weight(about: PreTrainedConfig, files: tuple[Path, ...], source: str) -> None:
    """Refuse a configuration of a far larger model than the files hold, without making that model.

    Args:
        about: The configuration.
        files: From :func:`weight_files`.
        source: What to call the model in an error.

    Raises:
        WeightsError: As above, or a file is damaged.
    """
    held = sum(_count(path) for path in files)
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(about, trust_remote_code=False)
    asked = sum(part.numel() for part in (*model.parameters(), *model.buffers()))
    if asked > _SPARE * held + _FREE:
        raise WeightsError(
            f"{source}: its config.json describes {asked:,} weights, its files hold {held:,}; "
            "they do not belong together, download both again"
        )


def _entries(values: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key with its value, at any depth."""
    inner = values.items() if isinstance(values, dict) else enumerate(values)
    for key, value in inner:
        yield str(key), value
        if isinstance(value, dict | list):
            yield from _entries(value)


def _count(path: Path) -> int:
    """Return how many numbers a safetensors file says it holds, and has room for."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > min(_HEADER, path.stat().st_size):
                raise DamagedError("its header is longer than the file")
            header = parse_json(file.read(length))
        tensors = [about for name, about in header.items() if name != "__metadata__"]
        return sum(prod(about["shape"]) for about in tensors)
    except (OSError, struct.error, ValueError, AttributeError, KeyError, TypeError) as error:
        reason = one_line(str(error), 120)
        raise WeightsError(f"{path}: cannot be loaded: it is damaged ({reason}); download it again") from None

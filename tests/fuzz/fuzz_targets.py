"""What is fuzzed: each kind of file from strangers, with the door of the product that reads it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import fuzz_seeds as seeds
from fuzz_mutate import mutate

from zerosight.backbones.mllm.hub import read_json
from zerosight.backbones.mllm.stored import check_values
from zerosight.data.layouts.catalog import read_layout
from zerosight.data.layouts.tree import read_csv
from zerosight.data.manifest import read_manifest
from zerosight.data.pixels import read_image
from zerosight.errors import ZerosightError
from zerosight.models.catalog import load_card
from zerosight.models.llava_radz.descriptions import load_descriptions
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.report.rows import final_rows, parse_row
from zerosight.train.array_cache import ArrayCache
from zerosight.train.vip2clip.config import TrainConfig
from zerosight.weights import load_pickled_tensors, load_tensors, read_metadata

LONGEST_ERROR = 5000  # characters


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of file.

    Attributes:
        seeds: Makes sound files.
        name: What the file is called in its folder.
        read: Reads it as the product does.
        is_text: Whether its words are exchanged, too.
        share: How often it is tried, beside the others.
    """

    seeds: Callable[[], list[bytes]]
    name: str
    read: Callable[[Path], object]
    is_text: bool = False
    share: int = 1


def _manifest(path: Path) -> object:
    found = read_manifest(path)
    return list(found.records(strict=False)), [found.resolve(row.image) for row in found.records()]


def _table(path: Path) -> object:
    for name in ("a.png", "b.png"):
        (path.parent / name).touch()
    return list(read_csv(path, ())), list(read_layout("findings_csv", path.parent).records(strict=False))


def _language_model(path: Path) -> object:
    return check_values(read_json(path), "a model")


def _array(path: Path) -> object:
    own = ArrayCache(path.parent / "cache", "fuzz", 8, "float32", 2**20)
    place = own.path("ab" * 32)
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(path.read_bytes())
    return own.get("ab" * 32)


TARGETS = {
    "image": Target(seeds.pictures, "a.png", read_image, share=8),
    "DICOM": Target(seeds.dicoms, "a.dcm", read_image, share=4),
    "manifest": Target(seeds.manifests, "m.jsonl", _manifest, is_text=True, share=3),
    "table": Target(seeds.tables, "findings.csv", _table, is_text=True),
    "record of results": Target(
        seeds.results, "p.jsonl", lambda path: list(final_rows(path, parse_row)), is_text=True
    ),
    "configuration": Target(seeds.settings, "c.yaml", TrainConfig.load, is_text=True),
    "descriptions": Target(seeds.descriptions, "d.yaml", load_descriptions, is_text=True),
    "card": Target(seeds.cards, "card.json", lambda path: load_card(path.parent, Vip2ClipCard), is_text=True),
    "language model's config": Target(seeds.language_models, "config.json", _language_model, is_text=True),
    "safetensors": Target(
        seeds.tensors, "m.safetensors", lambda path: (read_metadata(path), load_tensors(path)), share=3
    ),
    "checkpoint": Target(seeds.checkpoints, "c.ckpt", load_pickled_tensors, share=3),
    "cached array": Target(seeds.arrays, "a.bin", _array),
}
ORDER = tuple(name for name, target in TARGETS.items() for _ in range(target.share))


@cache
def corpus(kind: str) -> tuple[bytes, ...]:
    """Return the sound files of a kind."""
    return tuple(TARGETS[kind].seeds())


def draw(number: int) -> tuple[str, bytes]:
    """Return the kind and content of an input; they depend on its number alone."""
    kind, rng = ORDER[number % len(ORDER)], random.Random(number)
    sound = corpus(kind)
    return kind, mutate(rng.choice(sound), rng, sound, TARGETS[kind].is_text)


def try_out(kind: str, content: bytes, folder: Path) -> str:
    """Return what becomes of an input: ``read``, ``refused``, or what went wrong."""
    target = TARGETS[kind]
    path = folder / target.name
    path.write_bytes(content)
    try:
        target.read(path)
    except ZerosightError as error:
        said = str(error)
        if not said.strip() or len(said.splitlines()) > 1 or len(said) > LONGEST_ERROR:
            return f"an error of {len(said.splitlines())} lines and {len(said)} characters"
        return "refused"
    except Exception as error:  # what is looked for
        return f"{type(error).__name__}: {error}"[:300]
    return "read"

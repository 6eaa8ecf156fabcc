"""The same seeds give the same words and pictures as ever.

``python tests/synthesis/test_golden.py`` writes ``golden.json`` anew after a change that is wanted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zerosight.data.chest.names import FINDINGS, NO_FINDING
from zerosight.data.chest.wording import report_sentences
from zerosight.synthesis.chests import make_phantom, plan_phantom
from zerosight.synthesis.surfaces import SynthesisConfig
from zerosight.synthesis.surfaces.sample import Sampler

GOLDEN = Path(__file__).with_name("golden.json")
SIZE = 64
BLOCK = 8


def digest(value: Any) -> str:
    """Return the SHA-256 of plain values, whatever the platform."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def reports() -> list[str]:
    """Return digests of 24 reports from labels alone, made as training makes them."""
    texts = []
    for number in range(24):
        rng = np.random.default_rng([9, number])
        names = [str(name) for name in rng.permutation([n for n in FINDINGS if n != NO_FINDING])]
        labels: dict[str, int | None] = dict.fromkeys(names[: number % 5], 1)
        labels |= dict.fromkeys(names[5 : 5 + number % 7], 0) | dict.fromkeys(names[14:16])
        if not number % 5:
            labels[NO_FINDING] = 1
        texts.append(digest(report_sentences(labels | {"mystery": 0}, rng, supine=(None, True)[number % 2])))
    return texts


def plans() -> list[str]:
    """Return digests of what 48 phantoms are: findings, labels, report and part."""
    found = []
    for number in range(48):
        plan = plan_phantom(number % 3, number)
        told = [[f.name, f.side, f.place, f"{f.severity:.9f}", f.pattern, f.degree] for f in plan.findings]
        found.append(digest([told, dict(plan.labels), plan.report, plan.split]))
    return found


def phantoms() -> list[list[list[float]]]:
    """Return the mean grey of blocks of 12 phantoms."""
    return [_blocks(make_phantom(7, number, SIZE).image) for number in range(12)]


def surfaces() -> list[list[list[float]]]:
    """Return the mean of blocks of 12 synthesized pictures and of their masks."""
    sampler = Sampler(SynthesisConfig(size=SIZE, seed=7))
    found = []
    for number in range(12):
        sample = sampler.draw(number)
        found += [_blocks(sample.image.mean(axis=2)), _blocks(sample.mask * 255)]
    return found


def _blocks(picture: np.ndarray) -> list[list[float]]:
    """Return the mean of every block, so that a pixel that is rounded otherwise elsewhere hardly shows."""
    count = SIZE // BLOCK
    means: list[list[float]] = picture.reshape(count, BLOCK, count, BLOCK).mean(axis=(1, 3)).round(3).tolist()
    return means


@pytest.mark.parametrize("made", [reports, plans])
def test_words_labels_and_plans_are_the_same_to_the_letter(made: Callable[[], list[str]]) -> None:
    assert made() == json.loads(GOLDEN.read_text(encoding="utf-8"))[made.__name__]


@pytest.mark.parametrize("made", [phantoms, surfaces])
def test_pictures_are_the_same_up_to_a_rounded_pixel(made: Callable[[], list[list[list[float]]]]) -> None:
    kept = json.loads(GOLDEN.read_text(encoding="utf-8"))[made.__name__]
    np.testing.assert_allclose(made(), kept, atol=0.05)


if __name__ == "__main__":
    values = {"reports": reports(), "plans": plans(), "phantoms": phantoms(), "surfaces": surfaces()}
    GOLDEN.write_text(json.dumps(values, separators=(",", ":")) + "\n", encoding="utf-8")

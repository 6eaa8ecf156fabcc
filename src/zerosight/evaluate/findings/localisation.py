"""Localisation: do a model's maps say where a finding is, held to a map that never saw the image?

    rows with regions → their regions on a grid → images, a few ahead → a map per finding, by every way
                                                ↘ mean region of all other patients: the constant prior

A map that does not beat that prior says less than where such findings usually are. All is measured on a grid
of 160 × 160 points over the image, so that large images count as small ones do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from zerosight.data.manifest import Dataset, located
from zerosight.data.regions import LUNGS, lung_grids, region_grid
from zerosight.errors import DataError
from zerosight.evaluate.findings.config import ModelEvaluationConfig
from zerosight.evaluate.findings.selection import Asked, Omissions, Row
from zerosight.metrics.localisation import LocalisationTable, Localised, localise, summarise
from zerosight.metrics.pixel import PixelMetrics
from zerosight.predict.findings import FindingPredictor, Question
from zerosight.predict.reading import read_batches
from zerosight.types import MAP_THRESHOLD

PRIOR = "constant prior"
SIDE = 160
BINS = 4096

Values = Float32[np.ndarray, "side side"]


@dataclass(frozen=True, slots=True)
class LocalisationRow:
    """One way to make a map, on one finding or on all.

    Attributes:
        way: A map's name, or :data:`PRIOR`.
        finding: Empty for all findings together.
        table: How its maps agree with the regions.
    """

    way: str
    finding: str
    table: LocalisationTable

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"way": self.way, "finding": self.finding} | self.table.to_json()


@dataclass(frozen=True, slots=True)
class Localisation:
    """How a model's maps agree with regions.

    Attributes:
        rows: Per way, the prior first: all findings together, then each.
        images: Number of images with a region.
        own_lungs: Whether every image says where its lungs are; else two fixed ellipses stand for them.
        left_out: What could not be judged and how many, by reason.
    """

    rows: tuple[LocalisationRow, ...]
    images: int
    own_lungs: bool
    left_out: Mapping[str, int]

    def overall(self) -> dict[str, LocalisationTable]:
        """Return the tables over all findings, by way."""
        return {row.way: row.table for row in self.rows if not row.finding}

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "images": self.images,
            "lungs": "of each image" if self.own_lungs else "two fixed ellipses",
            "threshold": MAP_THRESHOLD,
            "left_out": dict(self.left_out),
            "rows": [row.to_json() for row in self.rows],
        }


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Where things are on one image.

    Attributes:
        row: The image.
        regions: By canonical finding.
        right: The patient's right lung.
        left: The patient's left lung.
    """

    row: Row
    regions: Mapping[str, Bool[np.ndarray, "side side"]]
    right: Bool[np.ndarray, "side side"]
    left: Bool[np.ndarray, "side side"]


def localise_findings(
    predictor: FindingPredictor,
    question: Question,
    dataset: Dataset,
    rows: Sequence[Row],
    asked: Sequence[Asked],
    config: ModelEvaluationConfig,
    progress: Callable[[int, int], None] | None = None,
) -> Localisation | None:
    """Return how maps agree with regions; None where no finding that is there has one in two patients.

    Args:
        predictor: The model.
        question: What is asked of it.
        dataset: Where images and masks are.
        rows: What is judged; images that cannot be used are passed over.
        asked: The findings, in the order of the question.
        config: Its maps, batch size, threads, bootstrap and strictness count.
        progress: Called with the numbers of images with a region that are done, and of all.

    Raises:
        DataError: A mask cannot be used and ``config.strict`` is set.
    """
    left_out = Omissions()
    truths = list(find_truths(dataset, rows, [one.label for one in asked], config.strict, left_out))
    judge = Judge(truths, config, left_out)
    judge.hold(predictor, question, dataset, truths, asked, progress)
    return judge.found()


class Judge:
    """Holds maps to regions, beside the constant prior.

    Args:
        truths: All that the prior may be made of, whichever model is held to them.
        config: Its maps, batch size, threads and bootstrap count.
        left_out: What could not be judged so far.
    """

    def __init__(self, truths: Sequence[Truth], config: ModelEvaluationConfig, left_out: Omissions) -> None:
        self._prior, self._tally = Prior(truths), Tally()
        self._config, self._left_out = config, left_out
        self._own_lungs = all(truth.row.regions.keys() >= LUNGS for truth in truths)
        self._images = 0

    def hold(
        self,
        predictor: FindingPredictor,
        question: Question,
        dataset: Dataset,
        truths: Sequence[Truth],
        asked: Sequence[Asked],
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Hold a model's maps of some images to where things are; other arguments as above."""
        anchors = {one.label: one.finding for one in asked}
        ways = self._config.maps or (predictor.card.maps.name,)
        for done, (truth, pixels) in enumerate(_pixels(predictor, dataset, truths, self._config), start=1):
            judged = self._usual(truth)
            for way in ways if judged else ():
                findings = [anchors[name] for name in judged]
                maps = predictor.locate(pixels, question, findings, way, (SIDE, SIDE))
                for name, values in zip(judged, maps, strict=True):
                    self._tally.add(way, name, values, truth)
            if progress is not None:
                progress(done, len(truths))

    def found(self) -> Localisation | None:
        """Return what was found; None where nothing was judged."""
        if not self._images:
            return None
        rows = self._tally.rows(self._config)
        return Localisation(rows, self._images, self._own_lungs, dict(self._left_out.counts))

    def _usual(self, truth: Truth) -> list[str]:
        """Count the prior's maps of an image, and return the findings that have one."""
        usual = {name: self._prior.map(name, truth.row) for name in truth.regions}
        judged = {name: mean for name, mean in usual.items() if mean is not None}
        self._left_out.add("region of a finding that no other patient has", len(usual) - len(judged))
        self._images += bool(judged)
        for name, mean in judged.items():
            self._tally.add(PRIOR, name, mean, truth)
        return list(judged)


class Prior:
    """Where a finding usually is: the mean region of all other patients, whatever the image shows."""

    def __init__(self, truths: Sequence[Truth]) -> None:
        self._regions: dict[str, dict[tuple[str, str], list[np.ndarray]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for truth in truths:
            for name, region in truth.regions.items():
                self._regions[name][truth.row.who].append(region)
        self._sums = {
            name: np.stack([one for own in regions.values() for one in own]).sum(0, dtype=np.float32)
            for name, regions in self._regions.items()
        }

    def map(self, finding: str, row: Row) -> Values | None:
        """Return the mean region of all patients but the row's, in [0, 1]; None if there is no other."""
        regions = self._regions[finding]
        others = sum(map(len, regions.values())) - len(regions[row.who])
        if not others:
            return None
        own = np.stack(regions[row.who]).sum(0, dtype=np.float32)
        return np.asarray((self._sums[finding] - own) / others, dtype=np.float32)


class Tally:
    """What was measured so far, by way and finding; an empty finding stands for all together."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], list[Localised]] = defaultdict(list)
        self._patients: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
        self._pixels: dict[tuple[str, str], PixelMetrics] = defaultdict(lambda: PixelMetrics(bins=BINS))

    def add(self, way: str, finding: str, values: Values, truth: Truth) -> None:
        """Count one map."""
        region = truth.regions[finding]
        one = localise(values, region, truth.right, truth.left)
        for key in ((way, ""), (way, finding)):
            self._found[key].append(one)
            self._patients[key].append(truth.row.who)
            self._pixels[key].update(values, region)

    def rows(self, config: ModelEvaluationConfig) -> tuple[LocalisationRow, ...]:
        """Return the table of every way and finding, the ways as they came, each with all together first."""
        ways = dict.fromkeys(way for way, _ in self._found)
        return tuple(
            LocalisationRow(way, finding, self._table((way, finding), config))
            for way in ways
            for finding in sorted(finding for other, finding in self._found if other == way)
        )

    def _table(self, key: tuple[str, str], config: ModelEvaluationConfig) -> LocalisationTable:
        aupro = self._pixels[key].compute().aupro_exact
        patients = self._patients[key]
        return summarise(self._found[key], aupro, MAP_THRESHOLD, patients, config.resamples, config.seed)


def find_truths(
    dataset: Dataset, rows: Sequence[Row], labels: Sequence[str], strict: bool, left_out: Omissions
) -> Iterator[Truth]:
    """Yield where the findings asked for are, for the images that have any and say where."""
    for row in rows:
        there = [name for name in labels if row.labels.get(name) == 1 and name in row.regions]
        if not there:
            continue
        try:
            regions = {name: region_grid(dataset, row.regions[name], SIDE) for name in there}
            lungs = lung_grids(dataset, row.regions, SIDE)
        except DataError as error:
            if strict:
                raise
            left_out.add("mask that cannot be read", 1, [str(error)])
            continue
        regions = {name: region for name, region in regions.items() if region.any()}
        left_out.add("empty mask", len(there) - len(regions))
        if regions:
            yield Truth(row, regions, *lungs)


def _pixels(
    predictor: FindingPredictor, dataset: Dataset, truths: Sequence[Truth], config: ModelEvaluationConfig
) -> Iterator[tuple[Truth, UInt8[np.ndarray, "size size 3"]]]:
    """Yield the truths with their images as the model wants them."""
    paths = (located(dataset, truth.row.image) for truth in truths)
    preprocess = predictor.model.preprocess.pixels
    for batch in read_batches(paths, preprocess, config.batch_size, config.workers):
        for read in batch:
            if read.pixels is not None:
                yield truths[read.index], read.pixels

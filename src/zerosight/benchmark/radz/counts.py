"""What an image costs when more findings are asked for: scored by anchors, and asked one by one."""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from zerosight.backbones.mllm.model import Mllm
from zerosight.benchmark.radz.plain import network_of, operations, random_pixels
from zerosight.benchmark.radz.workloads import Workload
from zerosight.benchmark.timing import in_turn, median_ratio, seconds
from zerosight.data.chest.names import CHESTXRAY14
from zerosight.models.llava_radz.anchor_cache import AnchorCache
from zerosight.models.llava_radz.descriptions import Description, load_descriptions, plain_absence
from zerosight.models.llava_radz.folder import LoadedModel
from zerosight.models.llava_radz.scoring import finding_scores
from zerosight.predict.findings import FindingPredictor, Question

AGAIN = "again"


@dataclass(frozen=True, slots=True)
class CountRow:
    """Medians for one number of findings; seconds are of one image.

    Attributes:
        findings: How many are asked for.
        build_seconds: To encode the findings' descriptions, once per model and list.
        read_seconds: To read them back from the cache.
        product_seconds: From pixels to scores, with the anchors at hand.
        product_ratio: Median of the rounds' ratios to the first number of findings.
        operations_ratio: Counted operations from pixels to scores, to the first number of findings.
        scoring_share: Of that time, what the scores take once the image's feature is there.
        asked_seconds: From pixels to one yes or no per finding, each a pass of the whole decoder; the vision
            tower runs once, and questions go in batches.
        asked_ratio: Asked, to the first number of findings.
        asked_over_product: Asked over product.
    """

    findings: int
    build_seconds: float
    read_seconds: float
    product_seconds: float
    product_ratio: float
    operations_ratio: float
    scoring_share: float
    asked_seconds: float
    asked_ratio: float
    asked_over_product: float


@dataclass(frozen=True, slots=True)
class CountResult:
    """All numbers of findings.

    Attributes:
        rows: One per number.
        noise: The first number against itself: how far from 1 a ratio of equals comes out.
        questions: Per batch when asked.
    """

    rows: list[CountRow]
    noise: float
    questions: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A list of findings, ready, and what it took."""

    question: Question
    build_seconds: float
    read_seconds: float


def measure_counts(loaded: LoadedModel, workload: Workload) -> CountResult:
    """Return the cost of one image for each number of findings of the workload."""
    with tempfile.TemporaryDirectory() as folder:
        predictor = FindingPredictor(loaded, cache=AnchorCache(Path(folder)))
        lists = {count: prepare(predictor, count) for count in workload.counts}
    pixels = random_pixels(loaded.model.mllm, 1)
    work = {n: partial(predictor.score, pixels, ready.question) for n, ready in lists.items()}
    flops = {n: operations(score) for n, score in work.items()}
    first, batch = workload.counts[0], max(workload.batches)
    times = in_turn(
        {str(n): score for n, score in work.items()} | {AGAIN: work[first]}, workload.count_rounds
    )
    asked = {n: _asked_seconds(loaded.model.mllm, pixels, n, batch) for n in workload.counts}
    rows = []
    for count, ready in lists.items():
        median = statistics.median(times[str(count)])
        rows.append(
            CountRow(
                findings=count,
                build_seconds=ready.build_seconds,
                read_seconds=ready.read_seconds,
                product_seconds=median,
                product_ratio=median_ratio(times[str(count)], times[str(first)]),
                operations_ratio=flops[count] / flops[first],
                scoring_share=_scoring_seconds(predictor, ready.question, workload.count_rounds) / median,
                asked_seconds=asked[count],
                asked_ratio=asked[count] / asked[first],
                asked_over_product=asked[count] / median,
            )
        )
    return CountResult(rows, median_ratio(times[AGAIN], times[str(first)]), batch)


def prepare(predictor: FindingPredictor, count: int) -> Prepared:
    """Return some findings ready to be scored, their anchors first built and then read from the cache."""
    names = finding_names(count)
    known = load_descriptions()
    invented = (name for name in names if name not in known)
    texts = known | {name: _invented(name) for name in invented}
    build = seconds(lambda: predictor.ask(names, descriptions=texts))
    read = seconds(lambda: predictor.ask(names, descriptions=texts))
    return Prepared(predictor.ask(names, descriptions=texts), build, read)


def finding_names(count: int) -> tuple[str, ...]:
    """Return ChestX-ray14's findings, then invented ones.

    >>> finding_names(16)[13:]
    ('hernia', 'finding 15', 'finding 16')
    """
    return (*CHESTXRAY14, *(f"finding {i + 1}" for i in range(len(CHESTXRAY14), count)))[:count]


@torch.inference_mode()
def ask_one_by_one(
    mllm: Mllm, pixels: np.ndarray, names: tuple[str, ...], batch: int
) -> Float[Tensor, "finding"]:
    """Return the share of yes per finding of one image: the traditional way.

    Args:
        mllm: The language model.
        pixels: The image, [1, size, size, 3].
        names: Of the findings.
        batch: Questions per pass.
    """
    seen = mllm.see(torch.from_numpy(pixels))
    logits = []
    for at in range(0, len(names), batch):
        questions = [f"Is there {name}? Answer yes or no." for name in names[at : at + batch]]
        logits.append(mllm.yes_no_logits(seen.expand(len(questions), -1, -1), questions))
    return torch.cat(logits).softmax(-1)[:, 0]


def _asked_seconds(mllm: Mllm, pixels: np.ndarray, count: int, batch: int) -> float:
    """Return the time of one image, asked once: hundreds of passes average the noise themselves."""
    ask_one_by_one(mllm, pixels, finding_names(min(count, batch)), batch)
    return seconds(lambda: ask_one_by_one(mllm, pixels, finding_names(count), batch))


@torch.inference_mode()
def _scoring_seconds(predictor: FindingPredictor, question: Question, rounds: int) -> float:
    """Return the time of the scores alone."""
    pooled = torch.ones(1, network_of(predictor).config.dim)
    temperature = float(predictor.model.temperature)
    work = {"score": lambda: finding_scores(pooled, question.anchors, question.mode, temperature)}
    return statistics.median(in_turn(work, rounds)["score"])


def _invented(name: str) -> Description:
    return Description(name=name, presence=(f"There is {name}.",), absence=plain_absence(name))

"""Chest images in, findings out: any list of names, scored without a labelled example."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, Shaped, UInt8
from torch import Tensor

from zerosight.data.chest.findings import CHESTXRAY14, NO_FINDING
from zerosight.models.llava_radz.anchor_cache import AnchorCache
from zerosight.models.llava_radz.anchors import Anchors, anchor_texts, build_anchors
from zerosight.models.llava_radz.calibration import FindingCalibration
from zerosight.models.llava_radz.card import RadzCard
from zerosight.models.llava_radz.descriptions import Description, check_findings, load_descriptions
from zerosight.models.llava_radz.folder import LoadedRadz
from zerosight.models.llava_radz.maps import at_image_size, attention_grid, contrast_grids
from zerosight.models.llava_radz.scoring import ScoreMode, finding_scores
from zerosight.models.llava_radz.vqa import yes_log_odds
from zerosight.models.llava_radz.written import describe_missing
from zerosight.reading import ImageLike, OnError, Read, Scored, read_batches
from zerosight.types import Failure, FindingPrediction, FindingScore

DEFAULT_LABELS = (*CHESTXRAY14, NO_FINDING)
ATTENTION = "attention"
ANSWER_TOKENS = 96


@dataclass(frozen=True, slots=True)
class Question:
    """A list of findings, ready to be asked of any number of images.

    Attributes:
        names: The findings as they were asked for.
        anchors: Their vectors.
        mode: How they are scored.
        calibration: Brings scores to probabilities and holds thresholds.
    """

    names: tuple[str, ...]
    anchors: Anchors
    mode: ScoreMode
    calibration: FindingCalibration


class FindingPredictor:
    """Scores findings in chest images. Holds no state between calls; threads may share one.

    The cost of an image does not depend on how many findings are asked for: their vectors are made once per
    model and list, and cached.

    Args:
        loaded: The model with its card.
        batch_size: Images per pass.
        cache: Where anchors are kept; None makes them anew for every list.
    """

    def __init__(self, loaded: LoadedRadz, batch_size: int = 8, cache: AnchorCache | None = None) -> None:
        self.model = loaded.model
        self.card: RadzCard = loaded.card
        self.key = loaded.key
        self.batch_size = batch_size
        self.cache = cache

    def ask(
        self,
        labels: Iterable[str] = DEFAULT_LABELS,
        *,
        descriptions: Path | Mapping[str, Description] | None = None,
        mode: ScoreMode | None = None,
        write: bool = False,
    ) -> Question:
        """Return a list of findings ready to be scored.

        Args:
            labels: Names of findings in any spelling.
            descriptions: Of further findings, or other ones: a file, or by canonical name.
            mode: How to score; None takes the model's. Probabilities are calibrated in the model's only.
            write: Let the language model describe findings that have no description.

        Raises:
            ConfigError: The list is empty or names a finding twice.
            DescriptionError: A finding has no description.
        """
        asked = tuple(" ".join(name.split()) for name in labels if name.strip())
        check_findings(asked)
        known = descriptions if isinstance(descriptions, Mapping) else load_descriptions(descriptions)
        if write:
            folder = self.cache.folder / "written" if self.cache else None
            known = {**known, **describe_missing(self._generate, asked, known, self.key, folder=folder)}
        texts = anchor_texts(asked, known)
        anchors = build_anchors(self._embed, texts, self.key, self.card.trained_on, self.cache)
        own = self.card.calibration
        chosen = mode or own.mode
        calibration = own if chosen == own.mode else FindingCalibration(mode=chosen)
        return Question(asked, anchors, chosen, calibration)

    def predict(
        self,
        images: ImageLike | Iterable[ImageLike],
        labels: Iterable[str] | Question = DEFAULT_LABELS,
        *,
        threshold: float | None = None,
        maps: bool = True,
        on_error: OnError = "stop",
    ) -> Iterator[FindingPrediction | Failure]:
        """Yield one result per image, in order.

        Args:
            images: Paths (PNG, JPEG, DICOM …), PIL images or arrays; one or many. Read lazily, a few ahead.
            labels: Names of findings, or what :meth:`ask` returned for them.
            threshold: Probabilities at or above it count as present, in [0, 1]; None takes the model's.
            maps: Whether to make maps of findings and of attention: they take a second pass.
            on_error: ``stop`` raises at the first image that cannot be read, ``skip`` yields a Failure.

        Raises:
            ImageReadError: An image cannot be read and ``on_error`` is ``stop``.
        """
        for scored in self.stream(images, labels, threshold=threshold, maps=maps, on_error=on_error):
            yield scored.result

    def stream(
        self,
        images: ImageLike | Iterable[ImageLike],
        labels: Iterable[str] | Question = DEFAULT_LABELS,
        *,
        threshold: float | None = None,
        maps: bool = True,
        on_error: OnError = "stop",
    ) -> Iterator[Scored[FindingPrediction]]:
        """Yield every image together with its result; arguments as for :meth:`predict`."""
        question = labels if isinstance(labels, Question) else self.ask(labels)
        for batch in read_batches(images, self.model.mllm.preprocess.pixels, self.batch_size):
            yield from self._finish(batch, question, threshold, maps, on_error)

    @torch.inference_mode()
    def score(
        self, pixels: UInt8[np.ndarray, "batch size size 3"], question: Question
    ) -> tuple[Shaped[np.ndarray, "batch classes"], Shaped[np.ndarray, "batch classes"]]:
        """Return the scores of images in the question's mode, and their probabilities, without maps."""
        return self.judge(self.features(pixels), question)

    @torch.inference_mode()
    def features(self, pixels: UInt8[np.ndarray, "batch size size 3"]) -> Float32[np.ndarray, "batch dim"]:
        """Return the global features of images: all that any question needs to know of them."""
        seen = self.model.mllm.see(torch.from_numpy(pixels))
        return self.model.embed_images(seen).pooled.float().cpu().numpy()

    def judge(
        self, features: Float32[np.ndarray, "batch dim"], question: Question
    ) -> tuple[Shaped[np.ndarray, "batch classes"], Shaped[np.ndarray, "batch classes"]]:
        """Return the scores of images in the question's mode, and their probabilities.

        Args:
            features: From :meth:`features`.
            question: What is asked.
        """
        return self._scores(torch.from_numpy(features), question)

    @torch.inference_mode()
    def answers(
        self, pixels: UInt8[np.ndarray, "batch size size 3"], labels: Sequence[str]
    ) -> Float32[np.ndarray, "batch classes"]:
        """Return the log-odds of yes when the model is asked in words: a pass of all layers per finding.

        It is the traditional way, for comparison; see :mod:`zerosight.models.llava_radz.vqa`.
        """
        return yes_log_odds(self.model.mllm, torch.from_numpy(pixels), labels).numpy()

    def _scores(
        self, pooled: Float[Tensor, "batch dim"], question: Question
    ) -> tuple[Shaped[np.ndarray, "batch classes"], Shaped[np.ndarray, "batch classes"]]:
        found = finding_scores(pooled, question.anchors, question.mode, float(self.model.temperature))
        scores = found.cpu().numpy()
        return scores, question.calibration.probabilities(scores, question.anchors.names)

    @torch.inference_mode()
    def _finish(
        self, batch: list[Read], question: Question, threshold: float | None, maps: bool, on_error: OnError
    ) -> Iterator[Scored[FindingPrediction]]:
        pixels = [read.pixels for read in batch if read.pixels is not None]
        results = iter(self._results(np.stack(pixels), question, maps) if pixels else ())
        for read in batch:
            if read.image is None:
                if on_error == "stop" and read.error:
                    raise read.error
                yield Scored(None, Failure(read.source, str(read.error)))
                continue
            scores, probabilities, grids = next(results)
            findings = ranked(question, scores, probabilities, threshold)
            size = (read.image.height, read.image.width)
            placed = at_image_size(grids, self.model.mllm.preprocess, size) if grids is not None else ()
            named = dict(zip((*question.names, ATTENTION), placed, strict=False))
            yield Scored(
                read.image,
                FindingPrediction(read.source, findings, question.mode, question.anchors.provenance, named),
            )

    def _results(
        self, pixels: UInt8[np.ndarray, "batch size size 3"], question: Question, maps: bool
    ) -> Iterator[tuple[np.ndarray, np.ndarray, Tensor | None]]:
        """Yield every image's scores, probabilities and, if wanted, maps on the grid of tokens."""
        seen = self.model.mllm.see(torch.from_numpy(pixels))
        if not maps:
            scores, probabilities = self._scores(self.model.embed_images(seen).pooled, question)
            yield from ((s, p, None) for s, p in zip(scores, probabilities, strict=True))
            return
        features, tokens = self.model.look(seen)
        attention = self.model.mllm.attention(seen)
        scores, probabilities = self._scores(features.pooled, question)
        temperature = float(self.model.temperature)
        for i in range(len(pixels)):
            grids = contrast_grids(
                tokens[i].cpu(), question.anchors.presence, question.anchors.absence, temperature
            )
            looked = attention_grid(attention[i].cpu())[None]
            yield scores[i], probabilities[i], torch.cat([grids, looked])

    def _embed(self, texts: Sequence[str]) -> Tensor:
        return self.model.embed_texts(texts).pooled

    def _generate(self, prompt: str, seed: int) -> str:
        return self.model.mllm.generate(prompt, seed, ANSWER_TOKENS)


def ranked(
    question: Question, scores: np.ndarray, probabilities: np.ndarray, threshold: float | None = None
) -> tuple[FindingScore, ...]:
    """Return the findings of one image, the most probable first.

    Args:
        question: What was asked.
        scores: One per finding.
        probabilities: One per finding, in [0, 1].
        threshold: Of all findings; None takes the calibration's.
    """
    own = question.calibration.thresholds(question.anchors.names)
    limits = own if threshold is None else np.full_like(own, threshold)
    columns = zip(question.names, scores, probabilities, limits, strict=True)
    found = [FindingScore(name, float(s), float(p), float(limit)) for name, s, p, limit in columns]
    return tuple(sorted(found, key=lambda finding: (-finding.probability, finding.name)))

"""Chest images in, findings out: any list of names, scored without a labelled example."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Shaped, UInt8
from torch import Tensor

from zerosight.choices import MapName, OnError, ScoreMode
from zerosight.data.chest.names import CHESTXRAY14, NO_FINDING, canonical
from zerosight.models.catalog import FINDINGS, open_model
from zerosight.models.finding_model import FindingModel, LoadedFindings
from zerosight.models.llava_radz.anchor_cache import AnchorCache, user_cache
from zerosight.models.llava_radz.anchors import Anchors, build_anchors
from zerosight.models.llava_radz.calibration import FindingCalibration
from zerosight.models.llava_radz.card import FindingCard
from zerosight.models.llava_radz.descriptions import Description, check_findings, load_descriptions
from zerosight.models.llava_radz.generated_descriptions import describe_missing
from zerosight.models.llava_radz.maps import at_image_size, attention_grid
from zerosight.models.llava_radz.scoring import finding_scores
from zerosight.predict.process import HomeProcess
from zerosight.predict.reading import (
    ImageLike,
    Read,
    Scored,
    check_threshold,
    failure,
    in_pages,
    only,
    read_batches,
    score_readable,
    single,
)
from zerosight.types import (
    Failure,
    FindingPrediction,
    FindingScore,
    Maps,
    map_name,
)

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

    def __init__(self, loaded: LoadedFindings, batch_size: int = 8, cache: AnchorCache | None = None) -> None:
        self.model: FindingModel = loaded.model
        self.card: FindingCard = loaded.card
        self.key = loaded.key
        self.batch_size = batch_size
        self.cache = cache
        self.familiarity = loaded.familiarity
        self._home = HomeProcess()

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
            ProcessError: This process was forked after the model was loaded.
        """
        self._home.check()
        asked = tuple(" ".join(name.split()) for name in labels if name.strip())
        check_findings(asked)
        known = descriptions if isinstance(descriptions, Mapping) else load_descriptions(descriptions)
        if write:
            folder = self.cache.folder / "written" if self.cache else None
            known = {**known, **describe_missing(self._generate, asked, known, self.key, folder=folder)}
        texts = self.model.texts(asked, known, descriptions is not None or write)
        anchors = build_anchors(self._embed, texts, self.key, self.card.trained_on, self.cache)
        own = self.card.calibration
        chosen = mode or own.mode
        calibration = own if chosen == own.mode else FindingCalibration(mode=chosen)
        return Question(asked, anchors, chosen, calibration)

    def identity(self, question: Question) -> dict[str, Any]:
        """Return what the answers to a question depend on beside the images, as JSON values."""
        return self.card.identity() | {
            "weights": self.key,
            "input": self.model.preprocess.key,
            "labels": list(question.names),
            "anchors": question.anchors.key,
            "mode": question.mode,
            "calibration": question.calibration.model_dump(mode="json"),
            "familiarity": self.card.familiarity.model_dump(mode="json") if self.card.familiarity else None,
        }

    def predict(
        self,
        images: ImageLike | Iterable[ImageLike],
        labels: Iterable[str] | Question = DEFAULT_LABELS,
        *,
        threshold: float | None = None,
        maps: bool | Maps = True,
        on_error: OnError = "stop",
    ) -> Iterator[FindingPrediction | Failure]:
        """Yield one result per image, in order.

        Args:
            images: Files (PNG, JPEG, DICOM …), folders, PIL images or arrays; one or many. Read lazily, a few
                ahead.
            labels: Names of findings, or what :meth:`ask` returned for them.
            threshold: Probabilities at or above it count as present, in [0, 1]; None takes the model's.
            maps: Whether to make maps, of the attention and of the findings at or above their threshold that
                the card does not tell to hide, or which other ones. They take a second pass, and one back
                per finding.
            on_error: ``stop`` raises at the first image that cannot be read, ``skip`` yields a Failure.

        Raises:
            ConfigError: The threshold is no number in [0, 1].
            ImageReadError: An image cannot be read and ``on_error`` is ``stop``.
            ProcessError: This process was forked after the model was loaded.
        """
        for scored in self.stream(images, labels, threshold=threshold, maps=maps, on_error=on_error):
            yield scored.result

    def predict_one(
        self,
        image: ImageLike,
        labels: Iterable[str] | Question = DEFAULT_LABELS,
        *,
        threshold: float | None = None,
        maps: bool | Maps = True,
    ) -> FindingPrediction:
        """Return the result for one image; arguments as for :meth:`predict`.

        Raises:
            ConfigError: The threshold is no number in [0, 1], or ``image`` names more than one.
            ZerosightError: As :meth:`predict` with ``stop``.
        """
        return only(self.predict(single(image), labels, threshold=threshold, maps=maps))

    def stream(
        self,
        images: ImageLike | Iterable[ImageLike],
        labels: Iterable[str] | Question = DEFAULT_LABELS,
        *,
        threshold: float | None = None,
        maps: bool | Maps = True,
        on_error: OnError = "stop",
    ) -> Iterator[Scored[FindingPrediction]]:
        """Yield every image together with its result; arguments as for :meth:`predict`.

        A large image of a file does not come along, see :meth:`Scored.with_photo`.
        """
        self._home.check()
        check_threshold("threshold", threshold)
        question = labels if isinstance(labels, Question) else self.ask(labels)
        preprocess = self.model.preprocess
        for batch in read_batches(in_pages(images), preprocess.pixels, self.batch_size, whole=False):
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
        self._home.check()
        seen = self.model.see(torch.from_numpy(pixels))
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
    def locate(
        self,
        pixels: UInt8[np.ndarray, "size size 3"],
        question: Question,
        findings: Sequence[str],
        way: MapName,
        size: tuple[int, int],
    ) -> Float32[np.ndarray, "maps height width"]:
        """Return where one image shows each finding, in [0, 1] on the map's fixed scale.

        Args:
            pixels: As the model wants them.
            question: What is asked.
            findings: Canonical names, all of them asked for.
            way: How maps are made.
            size: Height and width of the maps, in pixels.
        """
        self._home.check()
        seen = self.model.see(torch.from_numpy(pixels[None]))
        grids = self.model.maps(way, seen, question.anchors.select(findings))
        return at_image_size(grids, self.model.preprocess, size)

    @torch.inference_mode()
    def answers(
        self, pixels: UInt8[np.ndarray, "batch size size 3"], labels: Sequence[str]
    ) -> Float32[np.ndarray, "batch classes"]:
        """Return the log-odds of yes when the model is asked in words: a pass of all layers per finding.

        It is the traditional way, for comparison; see :mod:`zerosight.models.llava_radz.vqa`.
        """
        return self.model.answers(torch.from_numpy(pixels), labels).numpy()

    def _scores(
        self, pooled: Float[Tensor, "batch dim"], question: Question
    ) -> tuple[Shaped[np.ndarray, "batch classes"], Shaped[np.ndarray, "batch classes"]]:
        found = finding_scores(pooled, question.anchors, question.mode, float(self.model.temperature))
        scores = found.cpu().numpy()
        return scores, question.calibration.probabilities(scores, question.anchors.names)

    @torch.inference_mode()
    def _finish(
        self,
        batch: list[Read],
        question: Question,
        threshold: float | None,
        maps: bool | Maps,
        on_error: OnError,
    ) -> Iterator[Scored[FindingPrediction]]:
        pixels = [read.pixels for read in batch]
        wanted = Maps() if maps is True else maps or None
        found = score_readable(pixels, lambda some: self._results(some, question, threshold, wanted))
        for read, result in zip(batch, found, strict=True):
            if read.size is None or result is None:
                yield Scored(None, failure(read, on_error))
                continue
            findings, grids, is_familiar = result
            placed = {}
            if grids:
                every = at_image_size(torch.stack(list(grids.values())), self.model.preprocess, read.size)
                placed = dict(zip(grids, every, strict=True))
            about = (question.mode, question.anchors.provenance, placed, read.kept)
            limit = self.card.limitation
            found_here = FindingPrediction(read.source, findings, *about, is_familiar, limit)
            yield Scored(read.image, found_here, read.size)

    def _results(
        self,
        pixels: UInt8[np.ndarray, "batch size size 3"],
        question: Question,
        threshold: float | None,
        maps: Maps | None,
    ) -> Iterator[tuple[tuple[FindingScore, ...], dict[str, Tensor], bool | None]]:
        """Yield every image's findings, its maps on the grid of tokens, and whether it is familiar."""
        seen = self.model.see(torch.from_numpy(pixels))
        familiar = (
            self.familiarity.is_familiar(seen.float().mean(1)) if self.familiarity else [None] * len(pixels)
        )
        scores, probabilities = self._scores(self.model.embed_images(seen).pooled, question)
        attention = self.model.attention(seen) if maps else None
        for i, is_familiar in enumerate(familiar):
            findings = ranked(question, scores[i], probabilities[i], threshold)
            if is_familiar is False:
                findings = tuple(sorted(findings, key=lambda one: question.names.index(one.name)))
            grids: dict[str, Tensor] = {}
            if maps is not None:
                findings = self._with_reasons(findings, maps, is_familiar)
                shown = [one for one in findings if maps.below or _is_mapped(one, is_familiar)]
                grids = self._grids(seen[i : i + 1], question, shown, maps)
            if attention is not None:
                grids[ATTENTION] = attention_grid(attention[i].cpu())
            yield findings, grids, is_familiar

    def map_identity(self, maps: Maps) -> dict[str, Any]:
        """Return what maps depend on beside the answers, as JSON values."""
        record = self.card.maps
        values: dict[str, Any] = {"way": maps.way or record.name, "below": maps.below}
        hidden = list(record.hidden) if maps.way is None and not maps.below else []
        return values | ({"hidden": hidden} if hidden else {})

    def _with_reasons(
        self, findings: tuple[FindingScore, ...], maps: Maps, is_familiar: bool | None
    ) -> tuple[FindingScore, ...]:
        """Return the findings, those that would get a map but for what was measured of it with the reason."""
        if maps.below or maps.way is not None:
            return findings
        why_not = self.card.maps.why_not
        return tuple(
            replace(one, no_map=why_not(one.name)) if _is_mapped(one, is_familiar) else one
            for one in findings
        )

    def _grids(
        self,
        seen: Float[Tensor, "1 token vision"],
        question: Question,
        findings: Sequence[FindingScore],
        maps: Maps,
    ) -> dict[str, Tensor]:
        """Return the maps of some findings of one image, by their name among its maps."""
        if not findings:
            return {}
        names = [question.anchors.names[question.names.index(one.name)] for one in findings]
        way = maps.way or self.card.maps.name
        grids = self.model.maps(way, seen, question.anchors.select(names)).cpu()
        return {map_name(one.name): grid for one, grid in zip(findings, grids, strict=True)}

    def _embed(self, texts: Sequence[str]) -> Tensor:
        return self.model.embed_texts(texts).pooled

    def _generate(self, prompt: str, seed: int) -> str:
        return self.model.write(prompt, seed, ANSWER_TOKENS)


def load_findings(
    model: str | Path = "radz-tiny", device: str = "cpu", batch_size: int = 8
) -> FindingPredictor:
    """Return a model ready to recognise findings in chest X-rays, for research only.

    Args:
        model: A shipped model's name, a model folder, ``hf://OWNER/NAME[@REVISION]``, or another library's:
            ``openclip:NAME[@WEIGHTS]``, ``hf:ID`` or ``xrv:NAME``; see :mod:`zerosight.models.peers`.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps`` or ``auto``.
        batch_size: Images per pass.

    Raises:
        ZerosightError: The model or its weights are not to be had; the message says what to do.
    """
    return FindingPredictor(open_model(model, FINDINGS, device), batch_size, user_cache())


def _is_mapped(one: FindingScore, is_familiar: bool | None) -> bool:
    """Return whether a finding gets a map without being asked for."""
    present = one.is_present and canonical(one.name) != NO_FINDING
    return present and is_familiar is not False and not one.no_map


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

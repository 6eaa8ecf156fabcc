"""Feature store: what a model made of each image, kept on disk so that it never has to look twice.

A line holds the image's global feature, from which scores in every mode and of every list of findings follow
by one matrix product, and, where they were asked for, the answers to questions in words. Images that could
not be used are tried again.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from zerosight.data.manifest import Dataset, located
from zerosight.errors import DataError, one_line
from zerosight.evaluate.findings.config import RowsConfig
from zerosight.evaluate.findings.selection import Row
from zerosight.identity import holds, seal, stamp
from zerosight.journal import JournalFiles, LineJournal, ResumePolicy, of_json
from zerosight.predict.findings import FindingPredictor
from zerosight.predict.reading import Read, read_batches, score_readable

FEATURES = "looks.jsonl"
UNREADABLE, UNUSABLE = "unreadable image", "unusable features"


@dataclass(frozen=True, slots=True, eq=False)
class ImageFeatures:
    """One image as the model saw it.

    Attributes:
        image: Its name.
        feature: Its global feature; None where it could not be used.
        answers: Log-odds of yes by canonical finding.
        problem: Why it could not be used; empty if it could.
        detail: The same in one line that names the file.
        stamp: What identifies the file, see :func:`zerosight.identity.stamp`.
    """

    image: str
    feature: Float32[np.ndarray, "dim"] | None
    answers: Mapping[str, float] = field(default_factory=dict)
    problem: str = ""
    detail: str = ""
    stamp: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; the feature's bytes, little-endian fp32, in base 64."""
        feature = self.feature
        coded = None if feature is None else base64.b64encode(feature.astype("<f4").tobytes()).decode()
        said = {"image": self.image, "feature": coded, "answers": dict(self.answers), "stamp": self.stamp}
        return said | ({"problem": self.problem, "detail": self.detail} if self.problem else {})

    @classmethod
    def from_json(cls, values: Any) -> ImageFeatures:
        """Return the features in a parsed line.

        Raises:
            ValueError: It is no such line.
        """
        try:
            coded = values["feature"]
            feature = None if coded is None else np.frombuffer(base64.b64decode(coded), "<f4")
            features = cls(**values | {"feature": None if feature is None else feature.astype(np.float32)})
            numbers = [*features.answers.values(), *([] if feature is None else feature)]
            fine = bool(np.isfinite(np.array(numbers, np.float64)).all()) and (coded is None) == bool(
                features.problem
            )
        except (TypeError, KeyError, AttributeError, binascii.Error) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from None
        if not fine or not isinstance(features.image, str):
            raise ValueError(f"features of {features.image!r} with values that are no numbers")
        return features


class FeatureStore:
    """Features by image; a context manager that closes their file.

    Args:
        predictor: The model.
        dataset: Where the images are.
        policy: Where they are kept.

    Raises:
        OutputError: As :class:`zerosight.journal.LineJournal`.
    """

    def __init__(self, predictor: FindingPredictor, dataset: Dataset, policy: ResumePolicy) -> None:
        self.predictor = predictor
        self.dataset = dataset
        settings = model_facts(predictor) | {"weights": predictor.key, "data": dataset.header.name}
        settings["input"] = predictor.model.preprocess.key
        self._lines = LineJournal(policy, settings, JournalFiles(FEATURES), of_json(ImageFeatures.from_json))
        self._known = {features.image: features for features in self._lines.found}

    def __enter__(self) -> FeatureStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()

    def __getitem__(self, image: str) -> ImageFeatures:
        return self._known[image]

    def collect(
        self,
        rows: Iterable[Row],
        config: RowsConfig,
        questions: Sequence[str] = (),
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Look at every image that was not looked at before.

        Args:
            rows: Their images.
            config: Batch size, threads and strictness.
            questions: Canonical findings to ask for in words, too.
            progress: Called with the numbers of images done and of all images.

        Raises:
            DataError: An image cannot be used and ``config.strict`` is set.
            OutputError: A line cannot be written; those before are kept.
        """
        images = list(dict.fromkeys(row.image for row in rows))
        files = {image: located(self.dataset, image) for image in images}
        todo = [image for image in images if not self._is_done(image, files[image], questions)]
        stamps = {image: stamp(files[image]) for image in todo}
        done = len(images) - len(todo)
        tell = progress or (lambda done, total: None)
        tell(done, len(images))
        paths = (files[image] for image in todo)
        pixels = self.predictor.model.preprocess.pixels
        for batch in read_batches(paths, pixels, config.batch_size, config.workers):
            named = [(todo[read.index], read) for read in batch]
            for features in self._features_of(named, questions):
                if features.problem and config.strict:
                    raise DataError(features.detail)
                name = features.image
                features = replace(features, stamp=seal(stamps[name], files[name]))
                self._known[features.image] = features
                self._lines.add(features.to_json())
            done += len(batch)
            tell(done, len(images))

    def failures(self, rows: Iterable[Row]) -> list[ImageFeatures]:
        """Return what is known of the images that could not be used."""
        return [self[row.image] for row in rows if self[row.image].feature is None]

    def features(self, rows: Sequence[Row]) -> Float32[np.ndarray, "images dim"]:
        """Return the features of rows that can be used, at least one."""
        return np.stack([_feature(self[row.image]) for row in rows])

    def answers(self, rows: Sequence[Row], questions: Sequence[str]) -> Float32[np.ndarray, "images classes"]:
        """Return the log-odds of yes of rows that can be used."""
        values = [[self[row.image].answers[name] for name in questions] for row in rows]
        return np.array(values, np.float32).reshape(len(rows), len(questions))

    def _is_done(self, image: str, file: Path | str, questions: Sequence[str]) -> bool:
        known = self._known.get(image)
        if known is None or known.feature is None:
            return False
        if not holds(known.stamp, file):
            del self._known[image]  # its answers are about another image
            return False
        return known.answers.keys() >= set(questions)

    def _features_of(
        self, batch: Sequence[tuple[str, Read]], questions: Sequence[str]
    ) -> Iterator[ImageFeatures]:
        """Yield what the model makes of each image, by its name."""

        def look(pixels: UInt8[np.ndarray, "batch size size 3"]) -> Iterable[tuple[np.ndarray, np.ndarray]]:
            answers = np.empty((len(pixels), 0), np.float32)
            if questions:
                answers = self.predictor.answers(pixels, questions)
            return zip(self.predictor.features(pixels), answers, strict=True)

        found = score_readable([read.pixels for _, read in batch], look)
        for (image, read), pair in zip(batch, found, strict=True):
            if pair is None:
                yield ImageFeatures(image, None, problem=UNREADABLE, detail=str(read.error))
                continue
            feature, said = pair
            if not (np.isfinite(feature).all() and np.isfinite(said).all()):
                detail = one_line(f"{read.source}: the model gave features that are not finite")
                yield ImageFeatures(image, None, problem=UNUSABLE, detail=detail)
                continue
            before = self._known[image].answers if image in self._known else {}
            named = dict(zip(questions, map(float, said), strict=True))
            yield ImageFeatures(image, feature, {**before, **named})


def model_facts(predictor: FindingPredictor) -> dict[str, Any]:
    """Return what identifies a model, as JSON values."""
    return predictor.card.identity()


def _feature(features: ImageFeatures) -> Float32[np.ndarray, "dim"]:
    if features.feature is None:
        raise DataError(features.detail)
    return features.feature

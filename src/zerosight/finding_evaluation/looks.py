"""Looks: what a model made of each image, kept on disk so that it never has to look twice.

A look holds the image's global feature, from which scores in every mode and of every list of findings follow
by one matrix product, and, where they were asked for, the answers to questions in words. Images that could
not be used are tried again.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import Float32

from zerosight.data.manifest import Dataset
from zerosight.data.pixels import one_line
from zerosight.errors import DataError
from zerosight.finding_evaluation.config import RowsConfig
from zerosight.finding_evaluation.rows import Row
from zerosight.journal import Lines, Store
from zerosight.reading import Read, read_batches
from zerosight.recognise import FindingPredictor

LOOKS = "looks.jsonl"
UNREADABLE, UNUSABLE = "unreadable image", "unusable features"


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One image as the model saw it.

    Attributes:
        image: Its name.
        feature: Its global feature; None where it could not be used.
        answers: Log-odds of yes by canonical finding.
        problem: Why it could not be used; empty if it could.
        detail: The same in one line that names the file.
    """

    image: str
    feature: Float32[np.ndarray, "dim"] | None
    answers: Mapping[str, float] = field(default_factory=dict)
    problem: str = ""
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; the feature's bytes, little-endian fp32, in base 64."""
        feature = self.feature
        coded = None if feature is None else base64.b64encode(feature.astype("<f4").tobytes()).decode()
        said = {"image": self.image, "feature": coded, "answers": dict(self.answers)}
        return said | ({"problem": self.problem, "detail": self.detail} if self.problem else {})

    @classmethod
    def from_json(cls, values: Any) -> Look:
        """Return the look in a parsed line.

        Raises:
            ValueError: It is no such line.
        """
        try:
            coded = values["feature"]
            feature = None if coded is None else np.frombuffer(base64.b64decode(coded), "<f4")
            look = cls(**values | {"feature": None if feature is None else feature.astype(np.float32)})
            numbers = [*look.answers.values(), *([] if feature is None else feature)]
            fine = bool(np.isfinite(np.array(numbers, np.float64)).all()) and (coded is None) == bool(
                look.problem
            )
        except (TypeError, KeyError, AttributeError, binascii.Error) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from None
        if not fine or not isinstance(look.image, str):
            raise ValueError(f"a look of {look.image!r} with values that are no numbers")
        return look


class Looks:
    """Looks by image; a context manager that closes their file.

    Args:
        predictor: The model.
        dataset: Where the images are.
        store: Where looks are kept.

    Raises:
        OutputError: As :class:`zerosight.journal.Lines`.
    """

    def __init__(self, predictor: FindingPredictor, dataset: Dataset, store: Store) -> None:
        self.predictor = predictor
        self.dataset = dataset
        settings = model_facts(predictor) | {"weights": predictor.key, "data": dataset.header.name}
        self._lines = Lines(store, settings, LOOKS, Look.from_json)
        self._looks = {look.image: look for look in self._lines.found}

    def __enter__(self) -> Looks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()

    def __getitem__(self, image: str) -> Look:
        return self._looks[image]

    def take(
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
            OutputError: A look cannot be written; those before are kept.
        """
        images = list(dict.fromkeys(row.image for row in rows))
        todo = [image for image in images if not self._is_done(image, questions)]
        done = len(images) - len(todo)
        paths = (self.dataset.resolve(image) for image in todo)
        names = iter(todo)
        pixels = self.predictor.model.mllm.preprocess.pixels
        if progress:
            progress(done, len(images))
        for batch in read_batches(paths, pixels, config.batch_size, config.workers):
            for look in self._look(list(zip(batch, names, strict=False)), questions):
                if look.problem and config.strict:
                    raise DataError(look.detail)
                self._looks[look.image] = look
                self._lines.add(look.to_json())
                done += 1
            if progress:
                progress(done, len(images))

    def problems(self, rows: Iterable[Row]) -> list[Look]:
        """Return the looks that failed."""
        return [self[row.image] for row in rows if self[row.image].feature is None]

    def features(self, rows: Sequence[Row]) -> Float32[np.ndarray, "images dim"]:
        """Return the features of rows that can be used, at least one."""
        return np.stack([_feature(self[row.image]) for row in rows])

    def answers(self, rows: Sequence[Row], questions: Sequence[str]) -> Float32[np.ndarray, "images classes"]:
        """Return the log-odds of yes of rows that can be used."""
        values = [[self[row.image].answers[name] for name in questions] for row in rows]
        return np.array(values, np.float32).reshape(len(rows), len(questions))

    def _is_done(self, image: str, questions: Sequence[str]) -> bool:
        look = self._looks.get(image)
        return look is not None and look.feature is not None and look.answers.keys() >= set(questions)

    def _look(self, batch: list[tuple[Read, str]], questions: Sequence[str]) -> list[Look]:
        """Return what the model makes of some images, in order."""
        pixels = [read.pixels for read, _ in batch if read.pixels is not None]
        features = iter(self.predictor.features(np.stack(pixels)) if pixels else ())
        answers = iter(
            self.predictor.answers(np.stack(pixels), questions)
            if pixels and questions
            else [[]] * len(pixels)
        )
        looks = []
        for read, image in batch:
            if read.pixels is None:
                looks.append(Look(image, None, problem=UNREADABLE, detail=str(read.error)))
                continue
            feature, said = next(features), np.asarray(next(answers), np.float32)
            if not np.isfinite(list(chain(feature, said))).all():
                detail = one_line(f"{read.source}: the model gave features that are not finite")
                looks.append(Look(image, None, problem=UNUSABLE, detail=detail))
                continue
            before = self._looks[image].answers if image in self._looks else {}
            named = dict(zip(questions, map(float, said), strict=True))
            looks.append(Look(image, feature, {**before, **named}))
        return looks


def model_facts(predictor: FindingPredictor) -> dict[str, Any]:
    """Return what identifies a model, as JSON values."""
    card = predictor.card
    return {
        "model": card.name,
        "architecture": card.architecture,
        "language_model": card.mllm.model,
        "base_fingerprint": card.base_fingerprint,
        "weights_sha256": card.weights_sha256,
        "adapter_sha256": card.adapter_sha256,
    }


def _feature(look: Look) -> Float32[np.ndarray, "dim"]:
    if look.feature is None:
        raise DataError(look.detail)
    return look.feature

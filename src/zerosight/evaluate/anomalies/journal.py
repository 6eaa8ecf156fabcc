"""Journal: what an evaluation has found so far, kept on disk so that an interrupted one can go on.

A folder holds::

    scores.jsonl   one line per image, on disk at once; the last line about a row counts
    pixels.npz     the additive pixel counts per category and the rows in them, replaced every half minute
                   and when the evaluation ends, however it ends
    settings.json  what both depend on

A row is done if its line is there and, where its pixels belong in the counts, they are in them; lines from
the first on whose pixels are not in them are cut off. Rows whose files could not be used are tried again.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from zerosight.data.rows import Record
from zerosight.errors import OutputError, ZerosightError
from zerosight.evaluate.anomalies.outcome import Outcome
from zerosight.files import write_atomically
from zerosight.guarded.arrays import read_arrays
from zerosight.journal import JournalFiles, LineJournal, ResumePolicy, of_json
from zerosight.metrics.binned import BinnedState

SCORES, PIXELS = "scores.jsonl", "pixels.npz"
SAVE_EVERY = 30.0
"""Seconds between two saves of the pixel counts."""


class EvaluationJournal:
    """Outcomes by row and pixel counts by category; a context manager that saves however the work ends.

    Args:
        policy: Where to keep them, and what to do about what is there.
        settings: What the results depend on, as JSON values.

    Raises:
        OutputError: The folder holds results and the policy does not say what to do, or results of other
            settings, or cannot be written or read.
    """

    def __init__(self, policy: ResumePolicy, settings: Mapping[str, Any]) -> None:
        self.folder = folder = policy.folder
        self.pixels: dict[str, BinnedState] = {}
        self._counted: set[int] = set()
        self._saved = time.monotonic()
        files = JournalFiles(SCORES, beside=(PIXELS,))
        self._lines = LineJournal(policy, settings, files, of_json(Outcome.from_json))
        if folder is not None and (folder / PIXELS).exists():
            self.pixels, self._counted = _load(folder / PIXELS)
        self._lines.keep(self._lasting(self._lines.found))
        self.outcomes = {outcome.row: outcome for outcome in self._lines.found}
        if not self._counted <= self.outcomes.keys():
            raise OutputError(
                f"{self._lines.path}: lines are missing; overwrite the results, or use another folder"
            )

    def _lasting(self, lines: list[Outcome]) -> int:
        """Return how many lines come before the first whose pixels were never saved: what a kill left."""
        unsaved = (n for n, line in enumerate(lines) if line.counted and line.row not in self._counted)
        return next(unsaved, len(lines))

    def __enter__(self) -> EvaluationJournal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.save()
            else:
                with suppress(ZerosightError):  # the first error is the one to tell
                    self.save()
        finally:
            self._lines.close()

    def is_done(self, row: int, record: Record, holds: Callable[[str], bool] = lambda stamp: True) -> bool:
        """Return whether a row needs no more work.

        Args:
            row: Its number.
            record: What the data set says of it now.
            holds: Tells whether a stamp is true of its files as they are now.

        Raises:
            OutputError: The row was another image when the evaluation began, or its label, its mask or a file
                has changed since its pixels were counted, which cannot be taken back.
        """
        outcome = self.outcomes.get(row)
        if outcome is None:
            return False
        if (outcome.image, outcome.category) != (record.image, record.category):
            raise OutputError(
                f"{self.folder}: row {row} was {outcome.image} and is now {record.image}; the data set has "
                "changed, evaluate it into another folder or overwrite the results"
            )
        if outcome.is_about(record) and holds(outcome.stamp):
            return outcome.problem is None and (row in self._counted or not outcome.counted)
        if row in self._counted:
            raise OutputError(
                f"{self.folder}: {record.image}, its label or its mask has changed since its pixels were "
                "counted; overwrite the results, or evaluate into another folder"
            )
        return False

    def add(self, outcome: Outcome, pixels: BinnedState | None) -> None:
        """Keep one outcome, and count its pixels.

        Raises:
            OutputError: It cannot be written; everything added before is kept.
        """
        self.outcomes[outcome.row] = outcome
        if pixels is not None:
            before = self.pixels.get(outcome.category)
            self.pixels[outcome.category] = pixels if before is None else before.merge(pixels)
            self._counted.add(outcome.row)
        self._lines.add(outcome.to_json())
        if time.monotonic() - self._saved > SAVE_EVERY:
            self.save()

    def save(self) -> None:
        """Write the pixel counts, whole or not at all.

        Raises:
            OutputError: They cannot be written.
        """
        if self.folder is not None:
            content = io.BytesIO()
            np.savez(content, allow_pickle=False, **pack(self.pixels, self._counted))
            write_atomically(self.folder / PIXELS, content.getvalue())
        self._saved = time.monotonic()


def pack(pixels: Mapping[str, BinnedState], counted: set[int]) -> dict[str, np.ndarray]:
    """Return the counts of all categories as named arrays."""
    arrays = {"rows": np.array(sorted(counted), np.int64), "categories": np.array(list(pixels), str)}
    for number, state in enumerate(pixels.values()):
        arrays[f"{number}.normal"] = state.normal
        arrays[f"{number}.anomalous"] = state.anomalous
        arrays[f"{number}.overlap"] = state.overlap
        arrays[f"{number}.facts"] = np.array(
            [*state.score_range, state.regions, state.images, state.lowest, state.highest]
        )
        arrays[f"{number}.precision"] = np.empty(0, state.precision)
    return arrays


def unpack(arrays: Mapping[str, np.ndarray]) -> tuple[dict[str, BinnedState], set[int]]:
    """Return the counts of all categories from named arrays.

    Raises:
        KeyError: An array is missing.
        ValueError: An array is of another shape.
    """
    pixels = {}
    for number, name in enumerate(arrays["categories"].tolist()):
        low, high, regions, images, lowest, highest = arrays[f"{number}.facts"].tolist()
        pixels[name] = BinnedState(
            score_range=(low, high),
            normal=arrays[f"{number}.normal"],
            anomalous=arrays[f"{number}.anomalous"],
            overlap=arrays[f"{number}.overlap"],
            regions=int(regions),
            images=int(images),
            lowest=lowest,
            highest=highest,
            precision=arrays[f"{number}.precision"].dtype,
        )
    return pixels, set(arrays["rows"].tolist())


def _load(path: Path) -> tuple[dict[str, BinnedState], set[int]]:
    try:
        return unpack(read_arrays(path))
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:100]
        raise OutputError(
            f"{path}: is damaged ({reason}); remove it to count the pixels again, or overwrite the results"
        ) from None

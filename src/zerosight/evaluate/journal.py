"""Journal: what an evaluation has found so far, kept on disk so that an interrupted one can go on.

A folder holds::

    scores.jsonl   one line per image, on disk at once; the last line about a row counts
    pixels.npz     the additive pixel counts per category and the rows in them, replaced every half minute
                   and when the evaluation ends, however it ends
    settings.json  what both depend on

A row is done if its line is there and, where its pixels belong in the counts, they are in them. Rows whose
files could not be used are tried again.
"""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from zerosight.data.rows import Record
from zerosight.errors import OutputError, ZerosightError
from zerosight.evaluate.outcome import Outcome
from zerosight.files import write_atomically
from zerosight.journal import Lines, Store
from zerosight.metrics.binned import BinnedState

SCORES, PIXELS = "scores.jsonl", "pixels.npz"
SAVE_EVERY = 30.0
"""Seconds between two saves of the pixel counts."""


class Journal:
    """Outcomes by row and pixel counts by category; a context manager that saves however the work ends.

    Args:
        folder: Where to keep them; None keeps them in memory only.
        settings: What the results depend on, as JSON values.
        resume: Go on with what the folder holds.
        overwrite: Start anew in a folder that holds results.

    Raises:
        OutputError: The folder holds results and neither flag says what to do, or results of other settings,
            or cannot be written or read.
    """

    def __init__(
        self,
        folder: Path | None,
        settings: Mapping[str, Any],
        *,
        resume: bool = False,
        overwrite: bool = False,
    ) -> None:
        self.folder = folder
        self.pixels: dict[str, BinnedState] = {}
        self._counted: set[int] = set()
        self._saved = time.monotonic()
        store = Store(folder, resume, overwrite)
        self._lines = Lines(store, settings, SCORES, Outcome.from_json, (PIXELS,))
        self.outcomes = {outcome.row: outcome for outcome in self._lines.found}
        if folder is not None and (folder / PIXELS).exists():
            self.pixels, self._counted = _load(folder / PIXELS)
        if not self._counted <= self.outcomes.keys():
            raise OutputError(
                f"{self._lines.path}: lines are missing; overwrite the results, or use another folder"
            )

    def __enter__(self) -> Journal:
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

    def is_done(self, row: int, record: Record) -> bool:
        """Return whether a row needs no more work.

        Raises:
            OutputError: The row was another image when the evaluation began.
        """
        outcome = self.outcomes.get(row)
        if outcome is None:
            return False
        if (outcome.image, outcome.category) != (record.image, record.category):
            raise OutputError(
                f"{self.folder}: row {row} was {outcome.image} and is now {record.image}; the data set has "
                "changed, evaluate it into another folder or overwrite the results"
            )
        return outcome.problem is None and (row in self._counted or not outcome.counted)

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
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return unpack(dict(arrays.items()))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:100]
        raise OutputError(
            f"{path}: is damaged ({reason}); remove it to count the pixels again, or overwrite the results"
        ) from None

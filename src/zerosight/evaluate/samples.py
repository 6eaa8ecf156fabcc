"""Samples: a row's image and mask as the model and the metrics want them, read on other threads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8

from zerosight.data.masks import read_mask
from zerosight.data.pixels import read_image
from zerosight.data.rows import Record
from zerosight.errors import DataError, ZerosightError
from zerosight.evaluate.outcome import Problem
from zerosight.evaluate.selection import Selection
from zerosight.preprocess import Preprocess


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One row, read.

    Attributes:
        row: Its number in the selection.
        record: The row.
        pixels: The model's input; None where the image cannot be read.
        mask: Anomalous pixels, at the size of the comparison; None where they are not known.
        problem: What kept the image or the mask from being used.
    """

    row: int
    record: Record
    pixels: UInt8[np.ndarray, "size size 3"] | None
    mask: Bool[np.ndarray, "height width"] | None
    problem: Problem | None = None


class SampleReader:
    """Reads rows of a selection; threads may share one.

    Args:
        selection: Where the rows come from.
        preprocess: The model's constants.
    """

    def __init__(self, selection: Selection, preprocess: Preprocess) -> None:
        self.selection = selection
        self.preprocess = preprocess

    def __call__(self, numbered: tuple[int, Record]) -> Sample:
        """Return the sample of a row; what is wrong with its files is part of it."""
        row, record = numbered
        try:
            image = read_image(self.selection.dataset.resolve(record.image))
        except ZerosightError as error:
            return Sample(row, record, None, None, Problem("unreadable image", str(error)))
        pixels = self.preprocess.pixels(image)
        mask, problem = self._mask(record, (image.height, image.width))
        if mask is not None and self.selection.config.resolution == "model":
            mask = self.preprocess.mask(mask)
        return Sample(row, record, pixels, mask, problem)

    def _mask(
        self, record: Record, shape: tuple[int, int]
    ) -> tuple[Bool[np.ndarray, "height width"] | None, Problem | None]:
        """Return the mask at its image's size, or why there is none."""
        dataset = self.selection.dataset
        if record.category not in self.selection.masked:
            return None, None
        if record.label == 0:
            return np.zeros(shape, bool), None
        if record.mask is None:
            return None, Problem("missing mask", f"{record.image}: label 1, but no mask")
        try:
            path = dataset.resolve(record.mask)
            mask = read_mask(path, dataset.header.mask_threshold, shape)
        except DataError as error:
            return None, Problem("unusable mask", str(error))
        if record.label == 1 and not mask.any():
            return None, Problem("empty mask", f"{path}: marks no pixel, but its image has label 1")
        return mask, None

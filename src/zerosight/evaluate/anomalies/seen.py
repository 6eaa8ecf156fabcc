"""What the tower saw of the images of a category: computed once, for all that is then made of it."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from zerosight.backbones.normalise import normalise
from zerosight.data.ahead import read_ahead
from zerosight.data.manifest import Dataset, Record
from zerosight.evaluate.anomalies.config import EvaluationConfig
from zerosight.evaluate.anomalies.selection import RowReader, select_rows
from zerosight.identity import scratch_folder
from zerosight.models.references.block import Block
from zerosight.models.references.fusion import top_mean
from zerosight.models.references.model import Base, References, as_grid, words_in, words_of
from zerosight.models.references.scorer import device_of
from zerosight.models.references.tower import Levels, look
from zerosight.models.references.turning import Turn
from zerosight.models.vip2clip import utpa
from zerosight.models.vip2clip.model import Vip2Clip

AHEAD = 64
"""Images read ahead."""


def see_categories(
    base: Base,
    dataset: Dataset,
    groups: Mapping[str, list[Record]],
    config: EvaluationConfig,
    progress: Callable[[int, int], None] | None = None,
    turns: tuple[Turn, ...] = (),
) -> Iterator[tuple[str, Seen]]:
    """Yield what the tower saw, one category after the other; it is gone when the next one is asked for.

    Args:
        base: The zero-shot model, or an image tower alone.
        dataset: Where the rows come from.
        groups: Rows by category.
        config: The settings.
        progress: Called with the numbers of images seen and of all images.
        turns: Ways in which copies of the normal images are turned.
    """
    reader = RowReader(select_rows(dataset, config), base.encoder.preprocess)
    done, total = 0, sum(map(len, groups.values()))
    for name, rows in groups.items():
        with scratch_folder(Path(tempfile.gettempdir()), "zerosight") as folder:
            seen = Seen(base, folder, len(rows), turns)
            for row in read_ahead(enumerate(rows), reader, config.workers, AHEAD):
                seen.add(row.record, row.read.pixels, row.mask)
                done += 1
                if progress:
                    progress(done, total)
            yield name, seen


class Seen:
    """What the tower saw of a category's images: words and labels in memory, levels on disk.

    Args:
        base: The zero-shot model, or an image tower alone.
        folder: Where the levels go.
        count: Number of images.
        turns: Ways in which copies of the normal images are turned.
    """

    def __init__(self, base: Base, folder: Path, count: int, turns: tuple[Turn, ...] = ()) -> None:
        self.base = base
        self.prefix = base.read_prefix()
        self.plain = _Store(folder / "plain", count)
        self.turned = {turn: _Store(folder / f"{i}", count) for i, turn in enumerate(turns)}
        self.scores: list[float] = []
        self.labels: list[int] = []
        self.masks: list[np.ndarray | None] = []
        self.hashes: list[str] = []
        self.place: list[int] = []

    def add(self, record: Record, pixels: np.ndarray | None, mask: np.ndarray | None) -> None:
        """Look at one more image; one that cannot be read has no place."""
        if pixels is None:
            self.place.append(-1)
            return
        row = len(self.labels)
        score = self._look(self.plain, row, pixels)
        if score is not None:
            self.scores.append(score)
        self.labels.append(int(record.label or 0))
        self.masks.append(None if mask is None else np.packbits(mask))
        self.hashes.append(str(zlib.crc32(pixels.tobytes())))
        self.place.append(row)
        for turn, store in self.turned.items():
            if not self.labels[row]:
                self._look(store, row, turn(pixels[None])[0])

    def _look(self, store: _Store, row: int, pixels: np.ndarray) -> float | None:
        """Keep what the tower sees, and return the zero-shot score, None where there are no words."""
        images = torch.from_numpy(pixels[None]).to(device_of(self.base))
        with torch.no_grad():
            features, levels = look(self.base.encoder, normalise(images, self.base.encoder.preprocess))
            if features is None or not isinstance(self.base, Vip2Clip):
                store.put(row, words_in(self.base, None, levels)[0].cpu(), levels)
                return None
            alignment = self.base(features, self.prefix)
        store.put(row, words_of(self.base, alignment)[0].cpu(), levels)
        return float(alignment.scores[0])

    def block(self, rows: list[int], turned: bool = False) -> Block:
        """Return some images as normals, with their copies where these are wanted and known."""
        names = tuple(map(str, rows))
        copies = self.turned if turned else {}
        return Block(
            names,
            names,
            *self.plain.take(rows),
            {turn: Block(names, names, *store.take(rows)) for turn, store in copies.items()},
        )

    def judged_by(self, references: References | None, rows: list[int]) -> tuple[np.ndarray, ...]:
        """Return the scores and maps of some images, and their scores by the references alone.

        Without references, the scores and maps are those of the zero-shot model, and there is no third.
        """
        block = self.block(rows)
        if references is not None:
            sources = references.sources(block.words, block.levels)
            alone = top_mean(sources[:, block.words.shape[1] :].mean(1))
            return tuple(found.numpy() for found in (*references.finish(sources), alone))
        size, sigma = self.base.encoder.preprocess.size, self.base.config.blur_sigma
        spread = torch.from_numpy(utpa.spread_matrix(self.base.encoder.grid, size, sigma)).float()
        maps = spread @ as_grid(block.words.mean(1)) @ spread.T
        return np.array([self.scores[row] for row in rows]), maps.clamp(0, 1).numpy()

    def mask(self, row: int) -> np.ndarray | None:
        """Return a mask at the model's size."""
        packed, size = self.masks[row], self.base.encoder.preprocess.size
        return None if packed is None else np.unpackbits(packed, count=size * size).reshape(size, size) > 0


class _Store:
    """Words in memory and levels on disk, by the number of an image.

    Args:
        folder: Where the levels go.
        count: Number of images.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count
        self.words: dict[int, Tensor] = {}
        self.levels: list[np.memmap] = []

    def put(self, row: int, words: Float[Tensor, "level patch"], levels: Levels) -> None:
        """Keep what was seen of one image."""
        if not self.levels:
            self.folder.mkdir()
            for i, level in enumerate(levels):
                shape = (self.count, *level.shape[1:])
                self.levels.append(np.memmap(self.folder / f"{i}", np.float16, "w+", shape=shape))
        for kept, level in zip(self.levels, levels, strict=True):
            kept[row] = level[0].cpu().numpy()
        self.words[row] = words

    def take(self, rows: list[int]) -> tuple[Float[Tensor, "image level patch"], Levels]:
        """Return what was seen of some images."""
        levels = tuple(torch.from_numpy(np.stack([kept[r] for r in rows])).float() for kept in self.levels)
        return torch.stack([self.words[row] for row in rows]), levels

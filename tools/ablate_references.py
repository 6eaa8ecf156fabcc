"""What each source of references is worth: image AUROC with some of them, on the same draws.

    python tools/ablate_references.py tiles.jsonl --normals 4,16 --draws 3

Every row is scaled and joined as the product does it (zerosight.models.references.fusion); the rows differ
in what is joined and how much the references count, the columns in the share of the patches whose mean is the
score of an image.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

import numpy as np
import torch

import zerosight
from zerosight.evaluate.anomalies.few_shot import FewShotConfig, draw_order, without
from zerosight.evaluate.anomalies.seen import Seen, see_categories
from zerosight.evaluate.anomalies.selection import select_rows
from zerosight.evaluate.door import named_datasets
from zerosight.metrics import ImageMetrics
from zerosight.models.references.fit import add_block, build
from zerosight.models.references.fusion import TOP, Fusion, fit_scales, top_mean

SHARES = (0.03, TOP, 0.2)
TRUSTS = (0.3, 0.5, 0.67)
SOME = 32


def main(arguments: list[str]) -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", help="LAYOUT:ROOT or a manifest")
    parser.add_argument("--normals", default="4,16")
    parser.add_argument("--draws", type=int, default=3)
    options = parser.parse_args(arguments)
    counts = tuple(map(int, options.normals.split(",")))
    [dataset] = named_datasets([options.data]).values()
    config = FewShotConfig(normals=counts, draws=options.draws)
    base = zerosight.load("vip2clip-lite").scorer.model
    records = [record for _, record in select_rows(dataset, config).rows()]
    found: dict[str, dict[int, list[list[float]]]] = {}
    for name, seen in see_categories(base, dataset, {records[0].category: records}, config):
        for count in counts:
            for draw in range(options.draws):
                for row, values in ablated(seen, name, count, draw):
                    found.setdefault(row, {}).setdefault(count, []).append(values)
    heads = [f"{count}, top {share:.0%}" for count in counts for share in SHARES]
    print(f"| sources | {' | '.join(heads)} |\n|{'---|' * (1 + len(heads))}")
    for row, by_count in found.items():
        means = np.concatenate([np.mean(by_count[count], axis=0) for count in counts])
        print(f"| {row} | {' | '.join(f'{mean:.3f}' for mean in means)} |")


def ablated(seen: Seen, category: str, count: int, draw: int) -> Iterator[tuple[str, list[float]]]:
    """Yield every row's name and its image AUROC by share of the patches."""
    test = [row for row in seen.place if row >= 0]
    normals = draw_order(seen, [row for row in test if not seen.labels[row]], category, (0, draw))[:count]
    left = without(seen, test, normals)
    labels = np.array([seen.labels[row] for row in left])
    block = seen.block(normals)
    known = add_block(None, block, ("subspace", "nearest"))
    references = build(seen.base, known).references
    blocks = [seen.block(left[first : first + SOME]) for first in range(0, len(left), SOME)]
    with torch.inference_mode():
        sources = torch.cat([references.sources(some.words, some.levels) for some in blocks])
    levels = block.words.shape[1]
    plain = torch.cat([some.words for some in blocks])
    cases = {
        "words as they are": (block.words, plain),
        "words less those of alike patches": (known.held_out[:, :levels], sources[:, :levels]),
    }
    others = {"subspace": [levels], "nearest": [levels + 1], "subspace and nearest": [levels, levels + 1]}
    for name, index in others.items():
        yield name, judged(known.held_out[:, index], sources[:, index], [1 / len(index)] * len(index), labels)
    for words, (held_out, said) in cases.items():
        yield words, judged(held_out, said, [1 / levels] * levels, labels)
        for name, index in others.items():
            for trust in TRUSTS:
                weights = [(1 - trust) / levels] * levels + [trust / len(index)] * len(index)
                pairs = ((held_out, known.held_out), (said, sources))
                both = [torch.cat([some, every[:, index]], 1) for some, every in pairs]
                yield f"{words}, {name} {trust:.0%}", judged(*both, weights, labels)


def judged(
    held_out: torch.Tensor, sources: torch.Tensor, weights: list[float], labels: np.ndarray
) -> list[float]:
    """Return the image AUROC by share of the patches, of sources joined as the product joins them."""
    fused = Fusion(*fit_scales(held_out), torch.tensor(weights), torch.zeros(2))(sources)
    values = []
    for share in SHARES:
        metrics = ImageMetrics()
        metrics.update(top_mean(fused, share).numpy(), labels)
        values.append(metrics.compute().auroc.value)
    return values


if __name__ == "__main__":
    main(sys.argv[1:])

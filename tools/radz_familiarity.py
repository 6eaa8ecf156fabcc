"""Teach a LLaVA-RadZ folder what its training images look like, so that it can tell others from them.

python tools/radz_familiarity.py MODEL MANIFEST --images 1000 [--limitation "…"]

The manifest is the one that the model was trained on: its split train is fitted, its split val chooses the
threshold. Only the frozen tower looks; no weight changes.
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

import zerosight
from zerosight.data.manifest import Manifest, read_manifest, select
from zerosight.data.pixels import read_image
from zerosight.models.card import save_card
from zerosight.predict.findings import FindingPredictor
from zerosight.train.familiar import keep_familiarity


def main() -> None:
    """Write the file and the card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--images", type=int, default=1000, help="at most so many of each split")
    parser.add_argument("--limitation", help="what every output should say of the model, in one line")
    arguments = parser.parse_args()
    predictor = zerosight.load_findings(arguments.model)
    manifest = read_manifest(arguments.manifest)
    known, held_out = (looks(predictor, manifest, split, arguments.images) for split in ("train", "val"))
    said = manifest.header.source or manifest.header.name
    record = keep_familiarity(known, held_out, arguments.model, said)
    card = predictor.card
    limitation = card.limitation if arguments.limitation is None else arguments.limitation
    save_card(card.model_copy(update={"familiarity": record, "limitation": limitation}), arguments.model)
    print(record)


@torch.inference_mode()
def looks(predictor: FindingPredictor, manifest: Manifest, split: str, most: int) -> Tensor:
    """Return the mean tower feature of the first images of a split."""
    mllm = predictor.model.mllm
    rows = islice(select(manifest.records(), [split]), most)
    pixels = (mllm.preprocess.pixels(read_image(manifest.resolve(row.image))) for row in rows)
    return torch.cat([mllm.see(torch.from_numpy(one[None])).mean(1) for one in pixels])


if __name__ == "__main__":
    main()

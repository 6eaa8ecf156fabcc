"""References beside anomalib's PatchCore: the same image tower, images, normals and size in one run.

PatchCore is anomalib's own with its defaults (a tenth of the normal patches, nine neighbours), but for two
things: the tower is EfficientNet-Lite0 at 320 px with the weights of ``lite``, read at strides 8 and 16 as
its usual layers are; and it keeps at most 2,048 patches, since choosing more takes minutes. anomalib lives in
an environment of its own over the development one, that of tools/integrations.py.

    python tools/compare_patchcore.py tiles.jsonl --normals 16,30 --draws 2

Memory is bounded. Choosing patches makes two thousand arrays of 26 MB, one after the other, with a small one
that stays between each two: from the heap, these pile up to many GB, so they are mapped one by one. PatchCore
judges one image after the other, and the process may take no more than 8 GB of addresses.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np

LAYERS = ("blocks.2", "blocks.4")
KEPT, MOST_KEPT = 0.1, 2048
"""Share of the normal patches that anomalib's PatchCore keeps by default, and how many it may keep here."""
ADDRESSES = 8 * 2**30
MAPPED = {"MALLOC_MMAP_THRESHOLD_": str(2**20), "THP_MEM_ALLOC_ENABLE": "1"}
"""How the memory of large arrays is had: each its own, in large pages (which takes half the time)."""
COLUMNS = ("references, image", "alone, image", "PatchCore, image", "references, pixel", "PatchCore, pixel")


def main(arguments: list[str]) -> int:
    """Print a table; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", help="LAYOUT:ROOT or a manifest, of one category")
    parser.add_argument("--normals", default="16")
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--python", type=Path, help="an interpreter that has anomalib; none makes one")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.inside:
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
        compare(options.data, tuple(map(int, options.normals.split(","))), options.draws)
        return 0
    python = options.python or made()
    if python is None:
        return 1
    command = [python, "-W", "ignore", __file__, *arguments, "--inside"]
    return subprocess.run(command, env=os.environ | MAPPED | {"TQDM_DISABLE": "1"}).returncode


def made() -> Path | None:
    """Return the interpreter of anomalib's environment, None where it cannot be had."""
    from integrations import CONSTRAINTS, PIP, TOOLS, environment, installed

    python = environment("anomalib", over=True)
    done = installed(python, "anomalib", (*PIP, *CONSTRAINTS, *TOOLS["anomalib"][0]))
    return python if done else None


def compare(data: str, counts: tuple[int, ...], draws: int) -> None:
    """Print image and pixel AUROC of both in %, mean and deviation over draws."""
    import zerosight
    from zerosight.evaluate.anomalies.few_shot import FewShotConfig, draw_order, judge, without
    from zerosight.evaluate.anomalies.seen import see_categories
    from zerosight.evaluate.anomalies.selection import RowReader, select_rows
    from zerosight.evaluate.door import named_datasets
    from zerosight.models.references.fit import add_block, build

    [dataset] = named_datasets([data]).values()
    config = FewShotConfig(normals=counts, draws=draws)
    base = zerosight.load("vip2clip-lite").scorer.model
    selection = select_rows(dataset, config)
    [category] = selection.categories
    records = [record for _, record in selection.rows()]
    reader = RowReader(selection, base.encoder.preprocess)
    print(f"| normals | {' | '.join(COLUMNS)} |\n|{'---|' * (1 + len(COLUMNS))}")
    for _, seen in see_categories(base, dataset, {category: records}, config):
        pixels = {place: reader((i, records[i])).read.pixels for i, place in enumerate(seen.place)}
        test = [row for row in seen.place if row >= 0]
        good = [row for row in test if not seen.labels[row]]
        for count in counts:
            found = []
            for draw in range(draws):
                normals = draw_order(seen, good, category, (config.seed, draw))[:count]
                left = without(seen, test, normals)
                fitted = build(base, add_block(None, seen.block(normals)))
                own = judge(seen, left, fitted.references, "exact", 0.5)
                scores, maps = patchcore([pixels[row] for row in normals], [pixels[row] for row in left])
                labels, masks = [seen.labels[row] for row in left], [seen.mask(row) for row in left]
                image, pixel = judged(scores, maps, labels, masks)
                found.append((own["image_auroc"], own["references_auroc"], image, own["pixel_auroc"], pixel))
            print(row_of(count, np.array(found)), flush=True)


def patchcore(normals: list[np.ndarray], images: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return PatchCore's scores and maps of some images, seen one at a time."""
    import timm
    import torch
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel

    from zerosight.backbones.lite import load_network

    torch.manual_seed(0)  # it draws the patch that its choice begins with
    model = PatchcoreModel(layers=LAYERS, backbone="tf_efficientnet_lite0", pre_trained=False)
    names = timm.create_model("tf_efficientnet_lite0").state_dict()  # in the same order
    weights = dict(zip(names, load_network().state_dict().values(), strict=True))
    missing = model.feature_extractor.feature_extractor.load_state_dict(weights, strict=False).missing_keys
    assert not missing, missing

    def tensor(pixels: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(pixels)[None].permute(0, 3, 1, 2) / 127.5 - 1

    with torch.inference_mode():
        model.train()
        model.feature_extractor.eval()
        patches = sum(len(model(tensor(pixels))) for pixels in normals)
        model.subsample_embedding(min(KEPT, (MOST_KEPT + 0.5) / patches))
        model.eval()
        found = [model(tensor(pixels)) for pixels in images]
    scores = torch.cat([one.pred_score.reshape(-1) for one in found])
    return scores.numpy(), torch.cat([one.anomaly_map[:, 0] for one in found]).numpy()


def judged(
    scores: np.ndarray, maps: np.ndarray, labels: list[int], masks: list[np.ndarray | None]
) -> tuple[float, float]:
    """Return image and pixel AUROC."""
    from zerosight.metrics import ImageMetrics, PixelMetrics

    images, pixels = ImageMetrics(), PixelMetrics()
    images.update(scores / scores.max(), np.array(labels))
    for one, mask in zip(maps / maps.max(), masks, strict=True):
        if mask is not None:
            pixels.update(one[None], mask[None])
    return images.compute().auroc.value, pixels.compute().auroc.value


def row_of(count: int, found: np.ndarray) -> str:
    """Return a row of the table, in %; without masks, there are no numbers of pixels."""
    spread = found.std(axis=0, ddof=1) if len(found) > 1 else np.zeros(len(COLUMNS))
    pairs = zip(100 * found.mean(axis=0), 100 * spread, strict=True)
    cells = [f"{mean:.1f} ± {by:.1f}" if mean == mean else "" for mean, by in pairs]
    return f"| {' | '.join([str(count), *cells])} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""``zerosight demo``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerosight.cli.console import messages, print_json, progress
from zerosight.types import Prediction

if TYPE_CHECKING:
    from PIL import Image

    from zerosight.metrics import ImageMetrics, PixelMetrics

SHOWN = 6


def demo(
    out: Annotated[Path, typer.Option(help="folder for the demo's images and results")] = Path("demo-output"),
    model: Annotated[str, typer.Option(help="a shipped model or a model folder")] = "vip2clip-lite",
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Damage photographs that the model never saw, find the damage, and measure how well that went."""
    import zerosight
    from zerosight.cli.predict import write_page
    from zerosight.demo import make_demo_data
    from zerosight.report.sheet import contact_sheet
    from zerosight.report.writer import ResultWriter

    predictor = zerosight.load(model)
    with progress("images", quiet=as_json) as bar:
        task = bar.add_task("damaging photographs", total=None)
        manifest = make_demo_data(out)
        records = list(manifest.records())
        paths = [manifest.resolve(record.image) for record in records]
        bar.update(task, description="looking for damage", total=len(paths))
        with ResultWriter(out / "results", overwrite=True) as writer:
            found: list[tuple[Image.Image, Prediction]] = []
            for scored in predictor.stream(paths):
                writer.add(scored.result, scored.image)
                if isinstance(scored.result, Prediction) and scored.image:
                    found.append((scored.image, scored.result))
                bar.advance(task)
    contact_sheet(found[:SHOWN]).save(out / "demo.jpg", quality=88)
    images, pixels = _measure(
        [result for _, result in found],
        [manifest.resolve(record.mask) if record.mask else None for record in records],
    )
    page = write_page(out / "results", predictor, "Demo: damaged photographs")
    image, pixel = images.compute(resamples=1000), pixels.compute()
    if as_json:
        tables = {"image": image.to_json(), "pixel": pixel.to_json()}
        print_json(tables | {"images": len(found), "report": str(page)})
        return
    interval = image.auroc.interval
    spread = f" (95 % interval {interval.low:.2f} to {interval.high:.2f})" if interval else ""
    messages.print(f"{len(found)} crops of photographs, {image.anomalous} of them damaged:")
    messages.print(f"  is it damaged?     image AUROC {image.auroc.value:.3f}{spread}")
    messages.print(
        f"  where is it?       pixel AUROC {pixel.auroc.value:.3f}, AUPRO {pixel.aupro_exact.value:.3f}"
    )
    messages.print(f"report: {page}", soft_wrap=True)
    messages.print("next: zerosight predict YOUR_PHOTOS --out results")


def _measure(found: list[Prediction], masks: list[Path | None]) -> tuple[ImageMetrics, PixelMetrics]:
    """Compare predictions with masks, at the images' own size."""
    import numpy as np

    from zerosight.data.masks import read_mask
    from zerosight.metrics import ImageMetrics, PixelMetrics

    images, pixels = ImageMetrics(), PixelMetrics()
    for prediction, path in zip(found, masks, strict=True):
        shape = prediction.anomaly_map.shape
        mask = read_mask(path, shape=shape) if path else np.zeros(shape, bool)
        images.update(np.array([prediction.score]), np.array([path is not None]))
        pixels.update(prediction.anomaly_map, mask)
    return images, pixels

"""``zerosight demo``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosight.cli.console import messages, print_json, progress
from zerosight.types import FindingPrediction, Prediction

if TYPE_CHECKING:
    from PIL import Image

    from zerosight.metrics import ImageMetrics, Metric, PixelMetrics

SHOWN = 6


def demo(
    out: Annotated[Path, typer.Option(help="folder for the demo's images and results")] = Path("demo-output"),
    model: Annotated[str, typer.Option(help="a shipped model or a model folder")] = "vip2clip-lite",
    findings_model: Annotated[
        str, typer.Option(help="likewise, for drawn chest X-rays; an empty name leaves them out")
    ] = "radz-tiny",
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Find damage in photographs, and findings in drawn chest X-rays, none of them seen in training."""
    photographs = _damage(out, model, as_json)
    chests = _findings(out / "chest", findings_model, as_json) if findings_model else {}
    if as_json:
        print_json(photographs | ({"chest": chests} if chests else {}))
        return
    messages.print("next: zerosight predict YOUR_PHOTOS --out results")


def _damage(out: Path, model: str, quiet: bool) -> dict[str, Any]:
    """Damage photographs that the model never saw, find the damage, and measure how well that went."""
    import zerosight
    from zerosight.cli.predict import write_page
    from zerosight.demo import make_demo_data
    from zerosight.report.sheet import contact_sheet
    from zerosight.report.writer import ResultWriter

    predictor = zerosight.load(model)
    with progress("images", quiet=quiet) as bar:
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
    if not quiet:
        messages.print(f"{len(found)} crops of photographs, {image.anomalous} of them damaged:")
        messages.print(f"  is it damaged?     image AUROC {_with_interval(image.auroc)}")
        messages.print(
            f"  where is it?       pixel AUROC {pixel.auroc.value:.3f}, AUPRO {pixel.aupro_exact.value:.3f}"
        )
        messages.print(f"report: {page}", soft_wrap=True)
    tables = {"image": image.to_json(), "pixel": pixel.to_json()}
    return tables | {"images": len(found), "report": str(page)}


def _findings(out: Path, model: str, quiet: bool) -> dict[str, Any]:
    """Score findings in chest X-rays drawn from a seed of their own, and measure how well that went."""
    import numpy as np

    import zerosight
    from zerosight.cli.predict_findings import write_finding_page
    from zerosight.demo import FINDINGS_SHOWN, make_chest_data
    from zerosight.metrics import ThresholdPolicy, finding_data, finding_metrics
    from zerosight.report.findings import FindingForm
    from zerosight.report.writer import ResultWriter

    predictor = zerosight.load_findings(model)
    with progress("images", quiet=quiet) as bar:
        task = bar.add_task("drawing chest X-rays", total=None)
        manifest = make_chest_data(out)
        records = list(manifest.records())
        bar.update(task, description="looking for findings", total=len(records))
        question = predictor.ask(FINDINGS_SHOWN)
        scores = []
        with ResultWriter(out / "results", overwrite=True, form=FindingForm(question.names)) as writer:
            for scored in predictor.stream([manifest.resolve(r.image) for r in records], question):
                writer.add(scored.result, scored.image)
                if isinstance(scored.result, FindingPrediction):
                    by_name = {finding.name: finding.probability for finding in scored.result.findings}
                    scores.append([by_name[name] for name in question.names])
                bar.advance(task)
    page = write_finding_page(out / "results", predictor, "Demo: drawn chest X-rays")
    labels = np.array([[record.labels[name] for name in question.names] for record in records], float)
    data = finding_data(np.array(scores), np.array(scores), labels)
    table = finding_metrics(data, ThresholdPolicy.parse("fixed:0.5"), resamples=1000)
    if not quiet:
        messages.print(f"{len(records)} chest X-rays drawn by procedure (research use only):")
        for name, one in zip(question.names, table.classes, strict=True):
            messages.print(f"  {name + '?':18} AUROC {_with_interval(one.auroc)}")
        messages.print(f"report: {page}", soft_wrap=True)
    each = {name: one.to_json() for name, one in zip(question.names, table.classes, strict=True)}
    return {"images": len(records), "macro": table.macro.to_json(), "findings": each, "report": str(page)}


def _with_interval(metric: Metric) -> str:
    interval = metric.interval
    spread = f" (95 % interval {interval.low:.2f} to {interval.high:.2f})" if interval else ""
    return f"{metric.value:.3f}{spread}"


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

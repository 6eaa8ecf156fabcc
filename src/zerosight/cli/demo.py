"""``zerosight demo``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosight.cli.console import messages, print_json, progress

if TYPE_CHECKING:
    from PIL import Image

    from zerosight.metrics import ImageMetrics, Metric, PixelMetrics
    from zerosight.types import Prediction

SHOWN = 6


def demo(
    out: Annotated[Path, typer.Option("-o", "--out", help="folder for the demo's images and results")] = Path(
        "demo-output"
    ),
    model: Annotated[str, typer.Option(help="a shipped model or a model folder")] = "vip2clip-lite",
    findings_model: Annotated[
        str, typer.Option(help="likewise, for drawn chest X-rays; an empty name leaves them out")
    ] = "radz-tiny",
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Find damage in photographs, without and with good ones to compare with; and findings in drawn X-rays.

    None of these images was seen in training.
    """
    photographs = _damage(out, model, as_json)
    photographs["parts"] = _parts(out / "parts", model, as_json)
    chests = _findings(out / "chest", findings_model, as_json) if _is_there(findings_model) else {}
    if as_json:
        print_json(photographs | ({"chest": chests} if chests else {}))
        return
    messages.print("next: zerosight predict YOUR_PHOTOS --out results")


def _is_there(model: str) -> bool:
    """Return whether a model is named and, if it comes in a package of its own, installed; else say so."""
    from zerosight.errors import WeightsError
    from zerosight.models.catalog import find_model

    try:
        return bool(model) and bool(find_model(model))
    except WeightsError as error:
        if model != "radz-tiny":
            raise
        messages.print(f"no chest X-rays: {error}", soft_wrap=True)
        return False


def _damage(out: Path, model: str, quiet: bool) -> dict[str, Any]:
    """Damage photographs that the model never saw, find the damage, and measure how well that went."""
    import zerosight
    from zerosight.cli.predict_anomalies import write_page
    from zerosight.files import replacing
    from zerosight.report.heatmap import contact_sheet
    from zerosight.report.writer import ResultWriter
    from zerosight.synthesis.demo import make_demo_data
    from zerosight.types import Prediction

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
    masks = [manifest.resolve(record.mask) if record.mask else None for record in records]
    with replacing(out / "demo.jpg") as picture:
        contact_sheet(found[:SHOWN]).save(picture, quality=88)
    images, pixels = _measure([result for _, result in found], masks)
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


def _parts(out: Path, model: str, quiet: bool) -> dict[str, Any]:
    """Judge pictures of one kind of part without and with a few good ones, and measure both."""
    import zerosight
    from zerosight.cli.predict_anomalies import beside_of, write_page
    from zerosight.data.pixels import read_image
    from zerosight.files import replacing
    from zerosight.predict.counterparts import Counterparts
    from zerosight.report.heatmap import comparison_sheet
    from zerosight.report.writer import ResultWriter
    from zerosight.synthesis.demo import make_part_data
    from zerosight.types import Prediction

    alone = zerosight.load(model)
    with progress("images", quiet=quiet) as bar:
        task = bar.add_task("drawing parts", total=None)
        data = make_part_data(out)
        bar.update(task, description="comparing with good parts", total=2 * len(data.judged))
        zero_shot = [result for result in bar.track(alone.predict(data.judged), task_id=task) if result]
        with_normals = alone.with_normals(data.normals)
        shown, compared = Counterparts(with_normals), []
        with ResultWriter(out / "results", overwrite=True) as writer:
            for scored in with_normals.stream(data.judged):
                writer.add(scored.result, scored.image, beside_of(scored, shown))
                compared.append(scored.result)
                bar.advance(task)
    page = write_page(out / "results", with_normals, f"Demo: {len(data.normals)} good parts to compare with")
    found = {"without": zero_shot, "with": compared}
    results = {key: [one for one in many if isinstance(one, Prediction)] for key, many in found.items()}
    measured = {key: _measure(many, list(data.masks)) for key, many in results.items()}
    tables = {key: (images.compute(), pixels.compute()) for key, (images, pixels) in measured.items()}
    words = {"without": "words alone", "with": f"with {len(data.normals)} good parts"}
    captions = {
        key: f"{words[key]}: image AUROC {image.auroc.value:.2f}, pixel AUROC {pixel.auroc.value:.2f}"
        for key, (image, pixel) in tables.items()
    }
    sheet = comparison_sheet(
        [read_image(path) for path in data.judged[:SHOWN]],
        [(captions[key], many[:SHOWN]) for key, many in results.items()],
    )
    with replacing(out / "parts.jpg") as picture:
        sheet.save(picture, quality=88)
    if not quiet:
        messages.print(f"{len(data.judged)} pictures of one kind of part, every other one damaged:")
        for key in words:
            messages.print(f"  {captions[key]}")
        messages.print(f"report: {page}", soft_wrap=True)
    both = {
        key: {"image": image.to_json(), "pixel": pixel.to_json()} for key, (image, pixel) in tables.items()
    }
    return both | {"normals": len(data.normals), "images": len(data.judged), "report": str(page)}


def _findings(out: Path, model: str, quiet: bool) -> dict[str, Any]:
    """Score findings in chest X-rays drawn from a seed of their own, and measure how well that went."""
    import numpy as np

    import zerosight
    from zerosight.cli.predict_findings import write_finding_page
    from zerosight.metrics import ThresholdPolicy, finding_data, finding_metrics
    from zerosight.report.findings import FindingFormat
    from zerosight.report.writer import ResultWriter
    from zerosight.synthesis.demo import FINDINGS_SHOWN, make_chest_data
    from zerosight.types import FindingPrediction

    predictor = zerosight.load_findings(model)
    with progress("images", quiet=quiet) as bar:
        task = bar.add_task("drawing chest X-rays", total=None)
        manifest = make_chest_data(out)
        records = list(manifest.records())
        bar.update(task, description="looking for findings", total=len(records))
        question = predictor.ask(FINDINGS_SHOWN)
        scores = []
        with ResultWriter(out / "results", overwrite=True, format=FindingFormat(question.names)) as writer:
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

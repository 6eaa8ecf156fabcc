"""Output: an evaluation as JSON for programs, Markdown for documents and a page to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zerosight.data.manifest import Dataset
from zerosight.evaluate.anomalies.charts import curve_charts, histograms
from zerosight.evaluate.anomalies.examples import choose, draw
from zerosight.evaluate.anomalies.result import DatasetResult, Evaluation
from zerosight.evaluate.anomalies.tables import IMAGE_COLUMNS, PIXEL_COLUMNS, markdown, remarks, rows_of
from zerosight.evaluate.output import write_evaluation
from zerosight.files import packaged
from zerosight.predict.anomalies import Predictor
from zerosight.report.cells import cell, plain
from zerosight.report.charts import SIDE
from zerosight.report.page import environment


def write_outputs(
    out: Path, evaluation: Evaluation, datasets: Sequence[Dataset], predictor: Predictor
) -> Path:
    """Write ``evaluation.json``, ``evaluation.md`` and ``evaluation.html`` and return the page's path.

    Args:
        out: Folder to write to.
        evaluation: The results.
        datasets: Where the images of each result are, for the examples.
        predictor: The model, for the examples' maps.

    Raises:
        OutputError: The folder cannot be written.
    """
    shown = page(evaluation, datasets, predictor)
    return write_evaluation(out, evaluation.to_json(), markdown(evaluation), shown)


def page(evaluation: Evaluation, datasets: Sequence[Dataset], predictor: Predictor) -> str:
    """Return the page: self-contained, and forbidden by its own policy to load anything."""
    sections = [
        _section(result, dataset, predictor, evaluation)
        for result, dataset in zip(evaluation.datasets, datasets, strict=True)
    ]
    return (
        environment(packaged("evaluate", "anomalies"))
        .get_template("evaluation.html.j2")
        .render(
            title=f"Evaluation of {plain(evaluation.model['model'])}",
            model={name: plain(value) for name, value in evaluation.model.items() if value},
            settings={name: plain(value) for name, value in evaluation.settings.items()},
            notice=predictor.card.intended_use,
            sections=sections,
            image_columns=IMAGE_COLUMNS,
            pixel_columns=PIXEL_COLUMNS,
            side=SIDE,
        )
    )


def _section(
    result: DatasetResult, dataset: Dataset, predictor: Predictor, evaluation: Evaluation
) -> dict[str, object]:
    """Return what the template shows of one data set."""
    aupro = str(evaluation.settings["aupro"])
    mean = result.mean
    overlap = mean.pixel.aupro_exact if aupro == "exact" else mean.pixel.aupro_published
    tiles = [("Image AUROC", mean.image.auroc), ("Image F1-max", mean.image.f1_max)]
    tiles += [("Pixel AUROC", mean.pixel.auroc), ("AUPRO", overlap)]
    return {
        "header": result.header,
        "result": result,
        "tiles": [(name, cell(metric)) for name, metric in tiles],
        "rows": rows_of(result, aupro),
        "notes": remarks(result, aupro),
        "left_out": result.left_out,
        "charts": curve_charts(result, aupro),
        "histograms": histograms(result),
        "groups": [(group, draw(group, dataset, predictor)) for group in choose(result)],
    }

"""Output: an evaluation as JSON for programs, Markdown for documents and a page to look at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from zerosight.data.manifest import Dataset
from zerosight.evaluate.charts import curve_charts, histograms
from zerosight.evaluate.examples import choose, draw
from zerosight.evaluate.result import DatasetResult, Evaluation
from zerosight.evaluate.tables import IMAGE_COLUMNS, PIXEL_COLUMNS, markdown, notes, rows_of
from zerosight.files import write_atomically
from zerosight.predict import Predictor
from zerosight.report.cells import cell, plain
from zerosight.report.charts import SIDE
from zerosight.report.page import environment

JSON, MARKDOWN, PAGE = "evaluation.json", "evaluation.md", "evaluation.html"


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
    content = json.dumps(evaluation.to_json(), indent=1, ensure_ascii=False)
    write_atomically(out / JSON, content.encode() + b"\n")
    write_atomically(out / MARKDOWN, markdown(evaluation).encode())
    write_atomically(out / PAGE, page(evaluation, datasets, predictor).encode(errors="replace"))
    return out / PAGE


def page(evaluation: Evaluation, datasets: Sequence[Dataset], predictor: Predictor) -> str:
    """Return the page: self-contained, and forbidden by its own policy to load anything."""
    sections = [
        _section(result, dataset, predictor, evaluation)
        for result, dataset in zip(evaluation.datasets, datasets, strict=True)
    ]
    return (
        environment(Path(__file__).parent)
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
        "notes": notes(result, aupro),
        "left_out": result.left_out,
        "charts": curve_charts(result, aupro),
        "histograms": histograms(result),
        "groups": [(group, draw(group, dataset, predictor)) for group in choose(result)],
    }

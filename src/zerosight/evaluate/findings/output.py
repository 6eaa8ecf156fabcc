"""Output: an evaluation of findings as JSON for programs, Markdown for documents and a page to look at."""

from __future__ import annotations

from pathlib import Path

from zerosight.evaluate.findings.charts import curve_charts, histograms
from zerosight.evaluate.findings.result import FindingEvaluation
from zerosight.evaluate.findings.tables import (
    MEAN,
    about,
    columns,
    localisation_notes,
    localisation_table,
    markdown,
    notes,
    rows_of,
    ways,
    ways_by_finding,
)
from zerosight.evaluate.output import write_evaluation
from zerosight.files import packaged
from zerosight.report.cells import cell, plain
from zerosight.report.charts import SIDE
from zerosight.report.page import environment


def write_findings(evaluation: FindingEvaluation, out: Path) -> Path:
    """Write ``evaluation.json``, ``evaluation.md`` and ``evaluation.html`` and return the page's path.

    Args:
        evaluation: The results.
        out: Folder to write to.

    Raises:
        OutputError: The folder cannot be written.
    """
    return write_evaluation(out, evaluation.to_json(), markdown(evaluation), page(evaluation))


def page(evaluation: FindingEvaluation) -> str:
    """Return the page: self-contained, and forbidden by its own policy to load anything."""
    origin, macro = evaluation.provenance, evaluation.macro
    policy = evaluation.policy
    mean = "Mean " if len(evaluation.findings) > 1 else ""
    tiles = [
        ("AUROC", macro.auroc),
        ("AP", macro.ap),
        (f"F1 ({policy})", macro.f1),
        (f"Accuracy ({policy})", macro.accuracy),
    ]
    return (
        environment(packaged("evaluate", "findings"))
        .get_template("evaluation.html.j2")
        .render(
            title=f"{plain(origin.model.get('model', 'Findings'))} on {origin.data}",
            notice=origin.notice,
            provenance=origin,
            images=evaluation.images,
            patients=evaluation.patients,
            policy=policy,
            tiles=[(f"{mean}{name}", cell(metric)) for name, metric in tiles],
            columns=columns(evaluation),
            rows=rows_of(evaluation),
            mean=MEAN,
            notes=notes(evaluation),
            histograms=histograms(evaluation),
            charts=curve_charts(evaluation),
            baselines=evaluation.baselines,
            ways=[ways(evaluation), ways_by_finding(evaluation)][: 2 if mean else 1],
            places=evaluation.localisation and localisation_table(evaluation.localisation),
            places_by_finding=evaluation.localisation and localisation_table(evaluation.localisation, True),
            places_notes=localisation_notes(evaluation.localisation) if evaluation.localisation else (),
            published=evaluation.published,
            about=about(evaluation),
            side=SIDE,
        )
    )

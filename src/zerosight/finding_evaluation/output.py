"""Output: an evaluation of findings as JSON for programs, Markdown for documents and a page to look at."""

from __future__ import annotations

import json
from pathlib import Path

from zerosight.files import write_atomically
from zerosight.finding_evaluation.charts import curve_charts, histograms
from zerosight.finding_evaluation.result import FindingEvaluation
from zerosight.finding_evaluation.tables import (
    MEAN,
    about,
    columns,
    markdown,
    notes,
    rows_of,
    ways,
    ways_by_finding,
)
from zerosight.report.cells import cell, plain
from zerosight.report.charts import SIDE
from zerosight.report.page import environment

JSON, MARKDOWN, PAGE = "evaluation.json", "evaluation.md", "evaluation.html"


def write_findings(evaluation: FindingEvaluation, out: Path) -> Path:
    """Write ``evaluation.json``, ``evaluation.md`` and ``evaluation.html`` and return the page's path.

    Args:
        evaluation: The results.
        out: Folder to write to.

    Raises:
        OutputError: The folder cannot be written.
    """
    content = json.dumps(evaluation.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(out / JSON, content.encode(errors="backslashreplace") + b"\n")
    write_atomically(out / MARKDOWN, markdown(evaluation).encode(errors="replace"))
    write_atomically(out / PAGE, page(evaluation).encode(errors="replace"))
    return out / PAGE


def page(evaluation: FindingEvaluation) -> str:
    """Return the page: self-contained, and forbidden by its own policy to load anything."""
    facts, macro = evaluation.facts, evaluation.macro
    policy = evaluation.policy
    mean = "Mean " if len(evaluation.findings) > 1 else ""
    tiles = [
        ("AUROC", macro.auroc),
        ("AP", macro.ap),
        (f"F1 ({policy})", macro.f1),
        (f"Accuracy ({policy})", macro.accuracy),
    ]
    return (
        environment(Path(__file__).parent)
        .get_template("findings_evaluation.html.j2")
        .render(
            title=f"{plain(facts.model.get('model', 'Findings'))} on {facts.data}",
            notice=facts.notice,
            facts=facts,
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
            beside=evaluation.beside,
            ways=[ways(evaluation), ways_by_finding(evaluation)][: 2 if mean else 1],
            published=evaluation.published,
            about=about(evaluation),
            side=SIDE,
        )
    )

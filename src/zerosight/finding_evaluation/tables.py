"""Tables: the results as rows of text, per cent with one decimal, every F1 and accuracy with its policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from zerosight.finding_evaluation.result import FindingEvaluation
from zerosight.metrics import FindingTable
from zerosight.report.cells import NOT_AVAILABLE, Cell, cell, escaped, plain

MEAN = "mean"
ZERO_SHOT = "zero-shot"


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One finding, or the mean of all, in print.

    Attributes:
        name: The finding, or ``MEAN``.
        anchor: The anchor that stands for it, where it has another name.
        positives, negatives, unknown: Numbers of images.
        cells: AUROC, AP, F1, accuracy, threshold and calibration error.
    """

    name: str
    anchor: str
    positives: int
    negatives: int
    unknown: int
    cells: tuple[Cell, ...]


def columns(evaluation: FindingEvaluation) -> tuple[str, ...]:
    """Return the heads of ``FindingRow.cells``."""
    policy = evaluation.policy
    return ("AUROC", "AP", f"F1 ({policy})", f"Accuracy ({policy})", f"Threshold ({policy})", "ECE")


def rows_of(evaluation: FindingEvaluation) -> list[FindingRow]:
    """Return a row per finding and, if there are several, their mean."""
    rows = [
        _row(one.name, "" if one.anchor == one.name else one.anchor, one.table) for one in evaluation.findings
    ]
    return [*rows, _row(MEAN, "", evaluation.macro)] if len(rows) > 1 else rows


def _row(name: str, anchor: str, table: FindingTable) -> FindingRow:
    threshold = table.threshold
    at = (
        Cell(f"{threshold.value:.3g}")
        if threshold.is_defined
        else Cell("–" if name == MEAN else NOT_AVAILABLE)
    )
    cells = [cell(metric) for metric in (table.auroc, table.ap, table.f1, table.accuracy)]
    return FindingRow(
        name=name,
        anchor=anchor,
        positives=table.positives,
        negatives=table.negatives,
        unknown=table.unknown,
        cells=(*cells, at, cell(table.calibration_error)),
    )


def ways(evaluation: FindingEvaluation) -> tuple[list[str], list[tuple[str, list[Cell]]]]:
    """Return heads, and the means of zero-shot scores and of every other way."""
    policy = evaluation.policy
    heads = ["AUROC", "AP", f"F1 ({policy})", f"Accuracy ({policy})", "ECE"]
    tables = {ZERO_SHOT: evaluation.macro} | {one.name: one.macro for one in evaluation.beside}
    return heads, [(name, _measures(table)) for name, table in tables.items()]


def ways_by_finding(evaluation: FindingEvaluation) -> tuple[list[str], list[tuple[str, list[Cell]]]]:
    """Return the ways, and the AUROC of each per finding."""
    columns = [[one.table for one in evaluation.findings], *(one.findings for one in evaluation.beside)]
    rows = [
        (finding.name, [cell(tables[i].auroc) for tables in columns])
        for i, finding in enumerate(evaluation.findings)
    ]
    return [ZERO_SHOT, *(one.name for one in evaluation.beside)], rows


def _measures(table: FindingTable) -> list[Cell]:
    metrics = (table.auroc, table.ap, table.f1, table.accuracy, table.calibration_error)
    return [cell(metric) for metric in metrics]


def notes(evaluation: FindingEvaluation) -> list[str]:
    """Return why metrics are n/a, what the mean is over, what was left out and what the policy means."""
    source = evaluation.facts.thresholds
    lines = [f"F1 and accuracy at the {evaluation.policy.meaning}" + (f"; {source}" if source else "")]
    reasons: dict[tuple[str, str], list[str]] = {}
    shown = ("AUROC", "AP"), ("F1", "accuracy"), ("ECE",)
    for one in evaluation.findings:
        table = one.table
        metrics = (table.auroc, table.f1, table.calibration_error)
        for names, metric in zip(shown, metrics, strict=True):
            if metric.reason:
                reasons.setdefault((" and ".join(names), metric.reason), []).append(one.name)
    lines += [f"{which} n/a: {reason} ({', '.join(names)})" for (which, reason), names in reasons.items()]
    count = len(evaluation.findings)
    over = sum(one.table.auroc.is_defined for one in evaluation.findings)
    decided = sum(one.table.f1.is_defined for one in evaluation.findings)
    if 0 < over < count:
        lines.append(f"mean AUROC over the {over} of {count} findings that have one")
    if decided not in (0, count, over):
        lines.append(f"mean F1 and accuracy over the {decided} of {count} findings that have them")
    lines += [f"left out, {reason}: {count}" for reason, count in evaluation.facts.left_out.items()]
    return lines + [f"left out: {example}" for example in evaluation.facts.examples]


def about(evaluation: FindingEvaluation) -> dict[str, str]:
    """Return what a reader must know, by name, in order."""
    facts = evaluation.facts
    lines = {"data": facts.data, "images": str(evaluation.images), "patients": str(evaluation.patients)}
    lines |= {name: plain(value) for name, value in facts.model.items() if value}
    lines |= {"scoring mode": facts.mode, "anchor provenance": facts.provenance}
    if facts.temperature is not None:
        lines["temperature"] = f"{facts.temperature:.4g}"
    lines |= {"calibration": facts.calibration}
    told = {name: value for name, value in evaluation.settings.items() if value not in (None, False, [])}
    lines |= {name.replace("_", " "): plain(value) for name, value in told.items()}
    for split in facts.splits:
        lines[f"split {split.name}"] = (
            f"{split.images} images of {split.patients} patients, list sha256 {split.sha256}"
        )
    if facts.citation or facts.licence:
        lines["data source"] = "; ".join(filter(None, (facts.citation, facts.licence)))
    return lines


def markdown(evaluation: FindingEvaluation) -> str:
    """Return the whole evaluation as Markdown."""
    facts = evaluation.facts
    name = plain(facts.model.get("model", "findings"))
    lines = [f"# {escaped(name)} on {escaped(facts.data)}", ""]
    lines += [f"**{escaped(facts.notice)}**", ""]
    lines += [f"- {escaped(name)}: {escaped(value)}" for name, value in about(evaluation).items()]
    lines += [
        "",
        "Values in per cent, thresholds as probabilities; in brackets the 95 % bootstrap interval by",
    ]
    lines += ["patient. ECE is the expected calibration error over bins of equally many images.", ""]
    lines += [*_table(evaluation), "", *(f"- {escaped(note)}" for note in notes(evaluation)), ""]
    if evaluation.beside:
        lines += [*_beside(evaluation), ""]
    if evaluation.published:
        lines += [*_published(evaluation), ""]
    return "\n".join(lines)


def _table(evaluation: FindingEvaluation) -> Iterator[str]:
    head = ["finding", "anchor", "present", "absent", "not known", *columns(evaluation)]
    yield "| " + " | ".join(head) + " |"
    yield "|---|---|" + "---:|" * (len(head) - 2)
    for row in rows_of(evaluation):
        names = [escaped(row.name), escaped(row.anchor or ("" if row.name == MEAN else row.name))]
        cells = [*names, row.positives, row.negatives, row.unknown, *row.cells]
        yield "| " + " | ".join(map(str, cells)) + " |"


def _beside(evaluation: FindingEvaluation) -> Iterator[str]:
    yield from ("## Other ways, on the same images", "")
    heads, rows = ways(evaluation)
    yield from _lines(["way", *heads], rows)
    if len(evaluation.findings) > 1:
        heads, rows = ways_by_finding(evaluation)
        yield from ("", "AUROC per finding:", "")
        yield from _lines(["finding", *heads], rows)
    yield ""
    yield from (f"- {escaped(one.name)}: {escaped(one.about)}" for one in evaluation.beside)


def _lines(head: list[str], rows: list[tuple[str, list[Cell]]]) -> Iterator[str]:
    yield "| " + " | ".join(map(escaped, head)) + " |"
    yield "|---|" + "---:|" * (len(head) - 1)
    yield from ("| " + " | ".join([escaped(name), *map(str, cells)]) + " |" for name, cells in rows)


def _published(evaluation: FindingEvaluation) -> Iterator[str]:
    published = evaluation.published
    if published is None:
        return
    yield from (f"## Published for {published.title}", "", f"Their protocol: {published.protocol}.", "")
    yield "| model | AUROC | F1 (oracle) | Accuracy (oracle) | note |"
    yield "|---|---:|---:|---:|---|"
    for row in published.rows:
        values = [f"{v:.1f}" if v is not None else NOT_AVAILABLE for v in (row.auroc, row.f1, row.accuracy)]
        yield "| " + " | ".join([row.model, *values, row.note]) + " |"

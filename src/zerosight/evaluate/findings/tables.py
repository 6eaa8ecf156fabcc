"""Tables: the results as rows of text, per cent with one decimal, every F1 and accuracy with its policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from zerosight.evaluate.findings.localisation import PRIOR, Localisation
from zerosight.evaluate.findings.published import PublishedSet
from zerosight.evaluate.findings.result import FindingEvaluation
from zerosight.metrics import FindingTable
from zerosight.report.cells import NOT_AVAILABLE, Cell, cell, escaped, percent, plain
from zerosight.report.table import Table, TableRow
from zerosight.types import MAP_THRESHOLD

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


def kind_of(evaluation: FindingEvaluation) -> str:
    """Return what the model is: zero-shot, or supervised where fixed labels taught it."""
    return str(evaluation.provenance.model.get("kind", ZERO_SHOT))


def ways(evaluation: FindingEvaluation) -> Table:
    """Return the means of zero-shot scores and of every baseline."""
    policy = evaluation.policy
    tables = {kind_of(evaluation): evaluation.macro} | {one.name: one.macro for one in evaluation.baselines}
    columns = ("way", "AUROC", "AP", f"F1 ({policy})", f"Accuracy ({policy})", "ECE")
    rows: tuple[TableRow, ...] = tuple((name, *_measures(table)) for name, table in tables.items())
    return Table(columns, rows, "Means of every way")


def ways_by_finding(evaluation: FindingEvaluation) -> Table:
    """Return the AUROC of every way per finding."""
    columns = [[one.table for one in evaluation.findings], *(one.findings for one in evaluation.baselines)]
    rows: list[TableRow] = [
        (finding.name, *(cell(tables[i].auroc) for tables in columns))
        for i, finding in enumerate(evaluation.findings)
    ]
    names = (kind_of(evaluation), *(one.name for one in evaluation.baselines))
    return Table(("finding", *names), tuple(rows), "AUROC of every way per finding")


def localisation_table(localisation: Localisation, by_finding: bool = False) -> Table:
    """Return how every way to make a map agrees with the regions, with intervals.

    Args:
        localisation: The measures.
        by_finding: A row per way and finding instead of one per way.
    """
    rows: list[TableRow] = []
    for row in localisation.rows:
        if bool(row.finding) == by_finding:
            names = (row.way, row.finding) if by_finding else (row.way,)
            rows.append((*names, str(row.table.images), *map(cell, row.table.metrics())))
    names = ("map", "finding") if by_finding else ("map",)
    heads = ("maps", "AUROC", "in lungs", "pointing", "side", "AUPRO", "IoU, best", "IoU")
    return Table((*names, *heads), tuple(rows), _title(localisation), words=tuple(range(len(names))))


def short_localisation_table(localisation: Localisation) -> Table:
    """Return the same over all findings as narrow as a terminal, without intervals."""
    rows: list[TableRow] = []
    for way, table in localisation.overall().items():
        values = [percent(one.value) if one.is_defined else NOT_AVAILABLE for one in table.metrics()]
        rows.append((way, str(table.images), *values))
    heads = ("map", "maps", "AUROC", "lungs", "point", "side", "AUPRO", "best", "IoU")
    return Table(heads, tuple(rows), _title(localisation))


def _title(localisation: Localisation) -> str:
    return f"Where findings are: maps held to regions of {localisation.images} images, in %"


def localisation_notes(localisation: Localisation) -> list[str]:
    """Return what the columns of :func:`localisation_table` mean, and what was left out."""
    lungs = "each image's own" if localisation.own_lungs else "two fixed ellipses"
    lines = [
        "a map per image and finding that is there; AUROC of its pixels, in the image and in the lungs "
        f"({lungs}); pointing: its highest pixel is in the region; side: the right lung of the two is named; "
        f"IoU at the one threshold that is best for all (an oracle) and at {MAP_THRESHOLD:g}, where pictures "
        "are coloured",
        f"{PRIOR}: the mean region of all other patients, whatever the image shows; a map that is not above "
        "it says less than where such findings usually are",
    ]
    return lines + [f"left out, {reason}: {count}" for reason, count in localisation.left_out.items()]


def full_table(evaluation: FindingEvaluation) -> Table:
    """Return the results in full."""
    head = ("finding", "anchor", "present", "absent", "not known", *columns(evaluation))
    rows: list[TableRow] = []
    for row in rows_of(evaluation):
        anchor = row.anchor or ("" if row.name == MEAN else row.name)
        rows.append((row.name, anchor, *map(str, (row.positives, row.negatives, row.unknown)), *row.cells))
    return Table(head, tuple(rows), words=(0, 1))


def short_table(evaluation: FindingEvaluation) -> Table:
    """Return the results as narrow as a terminal."""
    origin = evaluation.provenance
    rows: list[TableRow] = [
        (f"{row.name} ({row.anchor})" if row.anchor else row.name, str(row.positives), *row.cells)
        for row in rows_of(evaluation)
    ]
    how = f"{origin.mode}, anchors {origin.anchor_provenance}"
    if kind_of(evaluation) != ZERO_SHOT:
        how = f"{kind_of(evaluation)}: labels taught the model"
    about = f"{evaluation.images} images, {how}, in %"
    return without_policy(
        Table(("finding", "present", *columns(evaluation)), tuple(rows), f"{origin.data}: {about}")
    )


def without_policy(table: Table) -> Table:
    """Return a table whose heads leave out in brackets how thresholds were chosen."""
    return replace(table, columns=tuple(head.split(" (")[0] for head in table.columns))


def published_table(published: PublishedSet) -> Table:
    """Return what others report."""
    rows = []
    for row in published.rows:
        values = [f"{v:.1f}" if v is not None else NOT_AVAILABLE for v in (row.auroc, row.f1, row.accuracy)]
        rows.append((row.model, *values, row.note))
    return Table(("model", "AUROC", "F1 (oracle)", "Accuracy (oracle)", "note"), tuple(rows), words=(0, 4))


def _measures(table: FindingTable) -> list[Cell]:
    metrics = (table.auroc, table.ap, table.f1, table.accuracy, table.calibration_error)
    return [cell(metric) for metric in metrics]


def notes(evaluation: FindingEvaluation) -> list[str]:
    """Return why metrics are n/a, what the mean is over, what was left out and what the policy means."""
    source = evaluation.provenance.thresholds
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
    lines += [f"left out, {reason}: {count}" for reason, count in evaluation.provenance.left_out.items()]
    return lines + [f"left out: {example}" for example in evaluation.provenance.examples]


def about(evaluation: FindingEvaluation) -> dict[str, str]:
    """Return what a reader must know, by name, in order."""
    origin = evaluation.provenance
    lines = {"data": origin.data, "images": str(evaluation.images), "patients": str(evaluation.patients)}
    lines |= {name: plain(value) for name, value in origin.model.items() if value}
    lines |= {"scoring mode": origin.mode, "anchor provenance": origin.anchor_provenance}
    if origin.temperature is not None:
        lines["temperature"] = f"{origin.temperature:.4g}"
    lines |= {"calibration": origin.calibration}
    told = {name: value for name, value in evaluation.settings.items() if value not in (None, False, [])}
    lines |= {name.replace("_", " "): plain(value) for name, value in told.items()}
    for split in origin.splits:
        lines[f"split {split.name}"] = (
            f"{split.images} images of {split.patients} patients, list sha256 {split.sha256}"
        )
    if origin.citation or origin.licence:
        lines["data source"] = "; ".join(filter(None, (origin.citation, origin.licence)))
    return lines


def markdown(evaluation: FindingEvaluation) -> str:
    """Return the whole evaluation as Markdown."""
    origin = evaluation.provenance
    name = plain(origin.model.get("model", "findings"))
    lines = [f"# {escaped(name)} on {escaped(origin.data)}", ""]
    lines += [f"**{escaped(origin.notice)}**", ""]
    lines += [f"- {escaped(name)}: {escaped(value)}" for name, value in about(evaluation).items()]
    lines += [
        "",
        "Values in per cent, thresholds as probabilities; in brackets the 95 % bootstrap interval by",
    ]
    lines += ["patient. ECE is the expected calibration error over bins of equally many images.", ""]
    lines += [full_table(evaluation).markdown(), ""]
    lines += [*(f"- {escaped(note)}" for note in notes(evaluation)), ""]
    if evaluation.baselines:
        lines += [*_baselines(evaluation), ""]
    if evaluation.localisation:
        lines += [*_localisation(evaluation.localisation), ""]
    if evaluation.published:
        lines += [*_published(evaluation.published), ""]
    return "\n".join(lines)


def _baselines(evaluation: FindingEvaluation) -> Iterator[str]:
    yield from ("## Other ways, on the same images", "", ways(evaluation).markdown())
    if len(evaluation.findings) > 1:
        yield from ("", "AUROC per finding:", "", ways_by_finding(evaluation).markdown())
    yield ""
    yield from (f"- {escaped(one.name)}: {escaped(one.about)}" for one in evaluation.baselines)


def _localisation(localisation: Localisation) -> Iterator[str]:
    table = localisation_table(localisation)
    yield from (f"## {table.title}", "", table.markdown(), "")
    yield from (localisation_table(localisation, by_finding=True).markdown(), "")
    yield from (f"- {escaped(note)}" for note in localisation_notes(localisation))


def _published(published: PublishedSet) -> Iterator[str]:
    yield from (f"## Published for {published.title}", "", f"Their protocol: {published.protocol}.", "")
    yield published_table(published).markdown(escape=False)

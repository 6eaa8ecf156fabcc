"""Tables of a study: every variant beside the reference, with intervals, differences and cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from zerosight.ablate.config import StudyConfig
from zerosight.ablate.outcome import Measured, Outcome
from zerosight.ablate.run import Study
from zerosight.report.cells import NOT_AVAILABLE, Cell, percent
from zerosight.report.table import Table, TableRow


@dataclass(frozen=True, slots=True)
class Column:
    """One metric on one data set, or its mean over data sets."""

    dataset: str
    metric: str

    @property
    def title(self) -> str:
        """What tables call it."""
        return f"{self.dataset} {self.metric}"


MEAN = "mean"


@dataclass(frozen=True, slots=True)
class Row:
    """One variant.

    Attributes:
        name: Its name.
        group: Its group.
        note: Its source, or what it is for.
        family: Variants that should agree; empty for none.
        values: Mean over its seeds, by column.
        deviations: Standard deviation over seeds, by column; NaN with one seed.
        differences: To the reference, paired, by column.
        cost: Mean over its seeds, by name.
    """

    name: str
    group: str
    note: str
    family: str
    values: Mapping[Column, Measured]
    deviations: Mapping[Column, float]
    differences: Mapping[Column, Measured]
    cost: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        cells: dict[str, Any] = {}
        for column, value in self.values.items():
            cells.setdefault(column.dataset, {})[column.metric] = {
                "value": _number(value.value),
                "interval": _ends(value),
                "deviation": _number(self.deviations[column]),
                "difference": _number(self.differences[column].value),
                "difference_interval": _ends(self.differences[column]),
            }
        about = {"name": self.name, "group": self.group, "family": self.family, "note": self.note}
        return about | {"measured": cells, "cost": dict(self.cost)}


@dataclass(frozen=True, slots=True)
class StudyTables:
    """All rows of a study.

    Attributes:
        title: What the study is called.
        reference: Name of the variant that the others are compared with.
        columns: The metrics that are known: the means first, then each data set's.
        rows: The variants.
        sets: Data sets that the means are over; the mean of one is shown once, by its name.
    """

    title: str
    reference: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    sets: tuple[str, ...] = ()

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups, in order of appearance."""
        return tuple(dict.fromkeys(row.group for row in self.rows))

    def of(self, group: str) -> tuple[Row, ...]:
        """Return the rows of a group."""
        return tuple(row for row in self.rows if row.group == group)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        rows = [row.to_json() for row in self.rows]
        return {"schema": 1, "title": self.title, "reference": self.reference, "variants": rows}

    def tables(self) -> list[Table]:
        """Return a table per group, and one of the spread in each family."""
        only = self.sets if len(self.sets) == 1 else ()
        shown = [column for column in self.columns if column.dataset not in only]
        found = [self._table(group, shown) for group in self.groups]
        return [*found, self.spread()] if any(row.family for row in self.rows) else found

    def short(self) -> list[Table]:
        """Return the same as narrow as a terminal: means over data sets, without intervals of differences."""
        means = [column for column in self.columns if column.dataset == MEAN]
        found = [self._table(group, means, full=False) for group in self.groups]
        return [*found, self.spread()] if any(row.family for row in self.rows) else found

    def spread(self) -> Table:
        """Return how far the variants of each family lie apart."""
        compared = [column for column in self.columns if column.dataset == MEAN and self._is_compared(column)]
        columns = [f"{column.metric} {end}" for column in compared for end in ("lowest", "highest", "spread")]
        rows: list[TableRow] = []
        for family in dict.fromkeys(row.family for row in self.rows if row.family):
            members = [row for row in self.rows if row.family == family]
            cells: list[str] = []
            for column in compared:
                known = [row.values[column].value for row in members if column in row.values]
                ends = (min(known), max(known), max(known) - min(known)) if known else ()
                cells += [percent(end) for end in ends] or [NOT_AVAILABLE] * 3
            rows.append((family, str(len(members)), *cells))
        return Table(("family", "variants", *columns), tuple(rows), "spread")

    def _is_compared(self, column: Column) -> bool:
        """Return whether a column has intervals, and so differences worth telling."""
        return any(row.values[column].resampled for row in self.rows if column in row.values)

    def _table(self, group: str, columns: Sequence[Column], full: bool = True) -> Table:
        members = self.of(group)
        shown = [column for column in columns if any(column in row.values for row in members)]
        names: list[str] = []
        for column in shown:
            named = replace(column, dataset=self.sets[0]) if self._is_only(column) else column
            title = named.title if full else column.metric
            names += [title, "±"] if self._has_difference(column) else [title]
        prices = list(dict.fromkeys(name for row in members for name in row.cost)) if full else []
        rows: list[TableRow] = []
        for row in members:
            cells: list[Cell | str] = [row.name]
            for column in shown:
                cells.append(_value(row, column))
                if self._has_difference(column):
                    difference = _difference(row, column, self.reference)
                    cells.append(difference if full or isinstance(difference, str) else difference.value)
            rows.append((*cells, *(_cost(row.cost.get(name)) for name in prices)))
        notes = " ".join(f"{row.name}: {row.note}." for row in members if row.note)
        return Table(("variant", *names, *prices), tuple(rows), group, notes)

    def _is_only(self, column: Column) -> bool:
        """Return whether a mean is that of a single data set."""
        return column.dataset == MEAN and len(self.sets) == 1

    def _has_difference(self, column: Column) -> bool:
        return column.dataset == MEAN and self._is_compared(column)


def make_tables(config: StudyConfig, study: Study) -> StudyTables:
    """Return the tables of a study.

    Means are over the data sets of the reference; a set that only some variants have stands for itself.
    """
    outcomes = study.outcomes
    everywhere = tuple(outcomes[config.compared_with][0].measured)
    columns = _columns(outcomes, everywhere)
    reference = _values(outcomes[config.compared_with], columns, everywhere)
    rows = []
    for variant in config.variants:
        runs = outcomes[variant.name]
        values = _values(runs, columns, everywhere)
        differences = {
            column: value.minus(reference[column]) if column in reference else Measured(math.nan)
            for column, value in values.items()
        }
        deviations = {column: _deviation(runs, column, everywhere) for column in values}
        cost = {name: float(np.mean([run.cost[name] for run in runs])) for name in runs[0].cost}
        about = (variant.name, variant.group, variant.note, variant.family)
        rows.append(Row(*about, values, deviations, differences, cost))
    return StudyTables(config.title, config.compared_with, columns, tuple(rows), everywhere)


def _columns(outcomes: Mapping[str, Sequence[Outcome]], everywhere: Sequence[str]) -> tuple[Column, ...]:
    """Return the means over data sets, then of each data set what has intervals; all of one that few have."""
    every = [run for runs in outcomes.values() for run in runs]
    known = dict.fromkeys(
        (dataset, metric, bool(value.resampled) or dataset not in everywhere)
        for run in every
        for dataset, metrics in run.measured.items()
        for metric, value in metrics.items()
        if value.is_defined
    )
    compared = [metric for dataset, metric, is_shown in known if dataset in everywhere and is_shown]
    metrics = dict.fromkeys([*compared, *(metric for dataset, metric, _ in known if dataset in everywhere)])
    single = dict.fromkeys(Column(dataset, metric) for dataset, metric, is_shown in known if is_shown)
    return (*(Column(MEAN, metric) for metric in metrics), *single)


def _values(
    runs: Sequence[Outcome], columns: Sequence[Column], everywhere: Sequence[str]
) -> dict[Column, Measured]:
    """Return the mean over seeds of every column that a variant has."""
    found = {column: Measured.mean([_one(run, column, everywhere) for run in runs]) for column in columns}
    return {column: value for column, value in found.items() if value.is_defined}


def _one(run: Outcome, column: Column, everywhere: Sequence[str]) -> Measured:
    sets = everywhere if column.dataset == MEAN else (column.dataset,)
    missing = Measured(math.nan)
    return Measured.mean([run.measured.get(name, {}).get(column.metric, missing) for name in sets])


def _deviation(runs: Sequence[Outcome], column: Column, everywhere: Sequence[str]) -> float:
    values = [_one(run, column, everywhere).value for run in runs]
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def _value(row: Row, column: Column) -> Cell | str:
    value = row.values.get(column)
    if value is None:
        return NOT_AVAILABLE
    deviation = row.deviations[column]
    error = "" if math.isnan(deviation) else f" ± {percent(deviation)}"
    interval = value.interval
    ends = "" if interval is None else f"{percent(interval.low)}–{percent(interval.high)}"
    return Cell(percent(value.value), ends, error)


def _difference(row: Row, column: Column, reference: str) -> Cell | str:
    value = row.differences.get(column)
    if row.name == reference or value is None or not value.is_defined:
        return "–"
    interval = value.interval
    ends = "" if interval is None else f"{_signed(interval.low)} to {_signed(interval.high)}"
    return Cell(_signed(value.value), ends)


def _signed(value: float) -> str:
    return f"{100 * value:+.1f}"


def _cost(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 5)


def _ends(value: Measured) -> list[float] | None:
    interval = value.interval
    return None if interval is None else [round(interval.low, 5), round(interval.high, 5)]

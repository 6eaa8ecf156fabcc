"""Selection: which images of a data set are judged on which findings, known before the first is read."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64

from zerosight.data.chest.names import FINDINGS, canonical
from zerosight.data.choice import check_categories, nothing_chosen
from zerosight.data.manifest import Dataset, Record, Skipped, select
from zerosight.data.regions import Region
from zerosight.errors import ConfigError, DataError, did_you_mean
from zerosight.evaluate.findings.config import RowsConfig
from zerosight.models.llava_radz.descriptions import load_descriptions

Labels = Mapping[str, int | None]
MOST_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class Row:
    """One image.

    Attributes:
        image: Its name.
        patient: Whose it is; None where that is not known. It is never handed on.
        labels: Canonical findings: 1 present, 0 absent, None not known.
        split: The part it belongs to.
        view: Its category.
        regions: Where findings are, by canonical name, and the lungs.
    """

    image: str
    patient: str | None
    labels: Labels
    split: str
    view: str
    regions: Mapping[str, Region] = field(default_factory=dict)

    @property
    def who(self) -> tuple[str, str]:
        """The patient, or the image where it stands for itself: what must not be on both sides."""
        return ("image", self.image) if self.patient is None else ("patient", self.patient)


@dataclass(frozen=True, slots=True)
class Asked:
    """One finding that is judged.

    Attributes:
        name: The label as it was asked for.
        label: Its canonical name, under which the data set has it.
        finding: Canonical name of the finding whose anchor stands for it.
    """

    name: str
    label: str
    finding: str


@dataclass(slots=True)
class Omissions:
    """What could not be judged: how many by reason, and lines about the first ones."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def add(self, reason: str, count: int, lines: Iterable[str] = ()) -> None:
        """Count some more."""
        if count:
            self.counts[reason] += count
            self.examples = [*self.examples, *lines][:MOST_EXAMPLES]


def wanted_rows(dataset: Dataset, splits: Sequence[str], config: RowsConfig) -> tuple[list[Row], Omissions]:
    """Return the rows of some splits, and what was left out.

    Raises:
        DataError: ``config.strict`` is set and a row is bad.
    """
    skipped, left_out = Skipped(), Omissions()
    rows = read_rows(dataset, splits, config, skipped)
    left_out.add("bad row", skipped.count, skipped.reasons)
    return rows, left_out


def asked_of(rows: Sequence[Row], config: RowsConfig, left_out: Omissions) -> tuple[Asked, ...]:
    """Return the findings that are judged on some rows; those that cannot be are left out.

    Raises:
        ConfigError: A label is not in the data or asked for twice.
        DataError: There is nothing to judge.
    """
    described = None if config.write else load_descriptions(config.descriptions)
    asked, others = choose_findings(rows, config, described)
    for reason in dict.fromkeys(others.values()):
        names = [name for name, why in others.items() if why == reason]
        left_out.add(f"finding {reason}", len(names), [f"finding {reason}: {', '.join(names)}"])
    return asked


def read_rows(
    dataset: Dataset, splits: Collection[str], config: RowsConfig, skipped: Skipped | None = None
) -> list[Row]:
    """Return the rows of some parts, sorted by image, so that their order in the data changes nothing.

    Args:
        dataset: A layout or a manifest.
        splits: Splits.
        config: Its views and strictness count.
        skipped: Told of bad rows.

    Raises:
        DataError: ``config.strict`` is set and a row is bad.
    """
    canonicals: dict[str, str] = {}
    rows = [
        Row(
            record.image,
            record.group,
            _labels(record, canonicals),
            record.split,
            record.category,
            {canonicals.setdefault(name, canonical(name)): one for name, one in record.regions.items()},
        )
        for record in select(dataset.records(config.strict, skipped), splits, config.views)
    ]
    return sorted(rows, key=lambda row: (row.image, row.patient or "", sorted(row.labels)))


def rows_of(
    dataset: Dataset,
    rows: Sequence[Row],
    splits: Collection[str],
    config: RowsConfig,
    option: str = "--split",
) -> list[Row]:
    """Return the rows of some splits.

    Args:
        dataset: Where they come from.
        rows: From :func:`read_rows`.
        splits: The splits.
        config: Its views count.
        option: What chooses the splits on the command line.

    Raises:
        DataError: There are none, or none of a view that was asked for; it says what there is.
    """
    found = [row for row in rows if row.split in splits]
    if not found:
        raise DataError(nothing_chosen(dataset, splits, config.views, option))
    check_categories(dataset, splits, config.views, {row.view for row in found})
    return found


def choose_findings(
    rows: Sequence[Row], config: RowsConfig, described: Collection[str] | None = None
) -> tuple[tuple[Asked, ...], dict[str, str]]:
    """Return the findings to judge, and why others that the rows know of are not.

    Args:
        rows: The rows that are judged.
        config: Its labels count.
        described: Canonical names of the findings that have a description; None where any may be asked.

    Raises:
        ConfigError: A label is not in the data, or asked for twice.
        DataError: There is nothing to judge.
    """
    there = sorted({name for row in rows for name in row.labels}, key=_order)
    if not there:
        raise DataError(f"none of {len(rows)} images has labels of findings; evaluation needs them")
    if config.labels is not None:
        return tuple(_asked(config.labels, there)), {}
    reasons = {name: _why_not(rows, name, described) for name in there}
    asked = tuple(Asked(name, name, name) for name in there if not reasons[name])
    left = {name: reason for name, reason in reasons.items() if reason}
    if not asked:
        some = "; ".join(f"{name}: {reason}" for name, reason in list(left.items())[:3])
        raise DataError(f"no finding can be judged on {len(rows)} images ({some}); choose with --labels")
    return asked, left


def label_matrix(rows: Sequence[Row], labels: Sequence[str]) -> Float64[np.ndarray, "images classes"]:
    """Return 1 present, 0 absent, NaN not known."""
    values = [[row.labels.get(label) for label in labels] for row in rows]
    return np.array(values, dtype=np.float64).reshape(len(rows), len(labels))


def others_only(rows: Iterable[Row], taken_rows: Iterable[Row]) -> list[Row]:
    """Return the rows whose patient, and whose image, is in none of the taken ones."""
    taken = {key for row in taken_rows for key in (row.who, ("image", row.image))}
    return [row for row in rows if row.who not in taken and ("image", row.image) not in taken]


def draw_patients(rows: Sequence[Row], share: float, seed: int) -> list[Row]:
    """Return the rows of a share of the patients, at least of one; a larger share holds the smaller ones.

    Args:
        rows: In any order; a row without a patient is one of its own.
        share: In (0, 1].
        seed: Another seed draws other patients.
    """
    everyone = sorted({row.who for row in rows}, key=lambda who: _shuffled(who, seed))
    drawn = set(everyone[: math.ceil(share * len(everyone) - 1e-9)])
    return [row for row in rows if row.who in drawn]


def _labels(record: Record, canonicals: dict[str, str]) -> Labels:
    """Return the labels by canonical name; where two names mean one, present goes before absent."""
    found: dict[str, int | None] = {}
    for name, value in record.labels.items():
        label = canonicals.setdefault(name, canonical(name))
        known = [one for one in (found.get(label), value) if one is not None]
        found[label] = max(known, default=None)
    return found


def _asked(texts: Sequence[str], there: Sequence[str]) -> Iterator[Asked]:
    """Yield what texts such as ``Effusion`` or ``infiltration=lung opacity`` ask for."""
    seen: dict[str, str] = {}
    for text in filter(str.strip, texts):
        name, _, finding = (part.strip() for part in text.partition("="))
        label = canonical(name)
        if label not in there:
            raise ConfigError(
                f"label {name[:80]!r} is not in the data{did_you_mean(label, there)}; "
                f"there are: {', '.join(there)[:300]}"
            )
        if label in seen:
            raise ConfigError(f"labels {seen[label]!r} and {name!r} are the same; leave one out")
        seen[label] = name
        yield Asked(name, label, canonical(finding or name))
    if not seen:
        raise ConfigError(f"no label is named; there are: {', '.join(there)[:300]}")


def _why_not(rows: Sequence[Row], name: str, described: Collection[str] | None) -> str:
    """Return why a finding cannot be judged, empty if it can."""
    values = {row.labels.get(name) for row in rows}
    if not {0, 1} <= values:
        return "without an image that shows it" if 1 not in values else "without an image free of it"
    return "" if described is None or name in described else "without a description"


def _order(name: str) -> tuple[int, str]:
    """Sort known findings as the package lists them, then all others by name."""
    return (FINDINGS.index(name) if name in FINDINGS else len(FINDINGS), name)


def _shuffled(who: tuple[str, str], seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {' '.join(who)}".encode(errors="surrogatepass")).digest()

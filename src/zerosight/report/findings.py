"""Findings on disk: the lines, the table and the pictures of chest findings in a folder of results.

predictions.jsonl        one line per image, as for anomalies
predictions.csv          a column of probabilities per finding
maps/FINDING/NAME.png    where the evidence for the finding is, over the image
maps/attention/NAME.png  where the model looked
previews/NAME.jpg        the image, small, for the report
dicom/KIND/NAME.dcm      where it was asked for: what the results are in DICOM
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from PIL import Image

from zerosight.data.chest.names import NO_FINDING
from zerosight.report.formats import Savable, preview, unique_name
from zerosight.report.heatmap import overlay
from zerosight.report.rows import FailedRow, files_of, parse_line, write_table
from zerosight.types import MAP_THRESHOLD, FindingPrediction, FindingScore, map_name

ATTENTION = "attention"
UNFAMILIAR = "unlike anything this model was trained on"
"""What is said of an image instead of its findings."""

DOCUMENTS = {"dicom sr": "sr", "dicom sc 1": "sc-1", "dicom sc 2": "sc-2", "dicom sc 3": "sc-3"}
"""Further files of an image, and their folders: a Structured Report, and Secondary Captures."""

MOST_MAPS = 3
"""Findings whose maps are saved, the most probable first: our default."""


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One line of predictions.jsonl about an image whose findings were scored.

    Attributes:
        source: As in :class:`zerosight.types.FindingPrediction`, like all that follow up to ``findings``.
        mode: How the scores were made.
        provenance: Where the anchors came from.
        findings: The findings, the highest probability first.
        files: What was saved, by kind (a finding, ``attention``, ``preview``), relative to the folder.
        is_familiar: As in :class:`zerosight.types.FindingPrediction`, like ``limitation``.
        stamp: What identifies the file it is about, see :func:`zerosight.identity.stamp`.
    """

    source: str
    mode: str
    provenance: str
    findings: tuple[FindingScore, ...]
    files: dict[str, str]
    stamp: str = ""
    is_familiar: bool | None = None
    limitation: str = ""


@runtime_checkable
class Documents(Protocol):
    """Makes further files of what was found in an image."""

    def files(self, result: FindingPrediction, photo: Image.Image) -> Mapping[str, Savable]:
        """Return them by kind, each a key of :data:`DOCUMENTS`."""


class FindingFormat:
    """The layout of findings.

    Args:
        names: The findings asked for, in the order of the table's columns.
        documents: Makes further files of every image, such as DICOM objects; None makes none.
    """

    def __init__(self, names: Sequence[str], documents: Documents | None = None) -> None:
        self.names = tuple(names)
        self.documents = documents

    def parse(self, line: bytes) -> FindingRow | FailedRow:
        """Return a line as a row; see :func:`parse_finding_row`."""
        return parse_finding_row(line)

    def draws(self, result: FindingPrediction) -> bool:
        """Return that there is something to save of every prediction."""
        return True

    def pictures(self, result: FindingPrediction, photo: Image.Image) -> Iterator[tuple[str, Savable]]:
        """Yield the preview, the maps of the most probable findings that have one, and the attention."""
        yield "preview", preview(photo)
        names = [finding.name for finding in result.findings if finding.name != NO_FINDING]
        found = {map_kind(name): result.maps.get(map_name(name)) for name in names}
        drawn = [(kind, grid) for kind, grid in found.items() if grid is not None][:MOST_MAPS]
        if ATTENTION in result.maps:
            drawn.append((ATTENTION, result.maps[ATTENTION]))
        for kind, grid in drawn:
            yield kind, overlay(photo, grid, MAP_THRESHOLD)
        if self.documents:
            yield from self.documents.files(result, photo).items()

    def place(self, kind: str, name: str) -> str:
        """Return a place in the folder of previews, in one per finding, or in one per kind of document."""
        if kind in DOCUMENTS:
            return f"dicom/{DOCUMENTS[kind]}/{name}.dcm"
        return f"previews/{name}.jpg" if kind == "preview" else f"maps/{unique_name(kind)}/{name}.png"

    def is_shown(self, kind: str) -> bool:
        """Return that a page shows all pictures."""
        return True

    def write_table(self, path: Path, rows: Iterable[FindingRow | FailedRow]) -> None:
        """Write a line per image: a probability per finding, which ones are present, and where from."""
        columns = ("source", *self.names, "present", "mode", "provenance", "error")
        write_table(path, columns, _cells(rows))


def map_kind(finding: str) -> str:
    """Return what the picture of a finding's map is called among the files of its image; each has its own.

    >>> map_kind("mass"), map_kind("preview")
    ('mass', 'finding preview')
    """
    taken = finding in ("preview", ATTENTION, *DOCUMENTS) or finding.startswith("finding ")
    return f"finding {finding}" if taken else finding


def parse_finding_row(line: bytes) -> FindingRow | FailedRow:
    """Return one line of predictions.jsonl as a row.

    Raises:
        ValueError: The line is not JSON, or not such a row.
    """
    return parse_line(line, _scored)


def _scored(values: dict[str, Any]) -> FindingRow:
    """Return the row of an image that was scored for findings."""
    row = FindingRow(
        source=str(values["source"]),
        mode=str(values["mode"]),
        provenance=str(values["provenance"]),
        findings=tuple(map(_finding, values["findings"])),
        files=files_of(values),
        stamp=str(values.get("stamp", "")),
        is_familiar=None if values.get("is_familiar") is None else bool(values["is_familiar"]),
        limitation=str(values.get("limitation", "")),
    )
    for finding in row.findings:
        if not (0 <= finding.probability <= 1 and 0 <= finding.threshold <= 1):
            raise ValueError(f"{finding.name} has probability {finding.probability}")
    return row


def _finding(values: dict[str, Any]) -> FindingScore:
    """Return a finding from its JSON values."""
    score, probability, threshold = (float(values[name]) for name in ("score", "probability", "threshold"))
    return FindingScore(str(values["name"]), score, probability, threshold, str(values.get("no_map", "")))


def _cells(rows: Iterable[FindingRow | FailedRow]) -> Iterator[dict[str, Any]]:
    """Yield the values of each line of the table."""
    for row in rows:
        if isinstance(row, FailedRow):
            yield {"source": row.source, "error": row.error}
            continue
        unlike = UNFAMILIAR if row.is_familiar is False else ""
        present = unlike or "; ".join(finding.name for finding in row.findings if finding.is_present)
        cells: dict[str, Any] = {finding.name: round(finding.probability, 6) for finding in row.findings}
        yield cells | {
            "source": row.source,
            "present": present,
            "mode": row.mode,
            "provenance": row.provenance,
        }

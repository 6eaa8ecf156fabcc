"""Findings on disk: the lines, the table and the pictures of chest findings in a folder of results.

predictions.jsonl        one line per image, as for anomalies
predictions.csv          a column of probabilities per finding
maps/FINDING/NAME.png    where the image is similar to the finding, over the image
maps/attention/NAME.png  where the model looked
previews/NAME.jpg        the image, small, for the report
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from zerosight.data.chest.findings import NO_FINDING
from zerosight.report.forms import preview, safe_name
from zerosight.report.heatmap import overlay
from zerosight.report.tables import FailedRow, write_table
from zerosight.types import FindingPrediction, FindingScore

ATTENTION = "attention"
MOST_MAPS = 3
"""Findings whose maps are saved, the most probable first: our default."""

MAP_THRESHOLD = 0.5
"""Similarity from which a map's colour is plain to see: our default."""


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One line of predictions.jsonl about an image whose findings were scored.

    Attributes:
        source: As in :class:`zerosight.types.FindingPrediction`, like all that follow up to ``findings``.
        mode: How the scores were made.
        provenance: Where the anchors came from.
        findings: The findings, the highest probability first.
        files: What was saved, by kind (a finding, ``attention``, ``preview``), relative to the folder.
    """

    source: str
    mode: str
    provenance: str
    findings: tuple[FindingScore, ...]
    files: dict[str, str]


class FindingForm:
    """The layout of findings.

    Args:
        names: The findings asked for, in the order of the table's columns.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)

    def parse(self, line: bytes) -> FindingRow | FailedRow:
        """Return a line as a row; see :func:`parse_finding_row`."""
        return parse_finding_row(line)

    def pictures(self, result: FindingPrediction, photo: Image.Image) -> dict[str, Image.Image]:
        """Return the preview, the maps of the most probable findings that have one, and the attention."""
        names = [finding.name for finding in result.findings if finding.name != NO_FINDING]
        named = [name for name in names if name in result.maps]
        drawn = [*named[:MOST_MAPS], *([ATTENTION] if ATTENTION in result.maps else [])]
        maps = {name: overlay(photo, result.maps[name], MAP_THRESHOLD) for name in drawn}
        return {"preview": preview(photo)} | maps

    def place(self, kind: str, name: str) -> str:
        """Return a place in the folder of previews, or in one per finding."""
        return f"previews/{name}.jpg" if kind == "preview" else f"maps/{safe_name(kind)}/{name}.png"

    def write_table(self, path: Path, rows: Iterable[FindingRow | FailedRow]) -> None:
        """Write a line per image: a probability per finding, which ones are present, and where from."""
        columns = ("source", *self.names, "present", "mode", "provenance", "error")
        write_table(path, columns, _cells(rows))


def parse_finding_row(line: bytes) -> FindingRow | FailedRow:
    """Return one line of predictions.jsonl as a row.

    Raises:
        ValueError: The line is not JSON, or not such a row.
    """
    values = json.loads(line)
    try:
        if "error" in values:
            return FailedRow(str(values["source"]), str(values["error"]))
        row = FindingRow(
            source=str(values["source"]),
            mode=str(values["mode"]),
            provenance=str(values["provenance"]),
            findings=tuple(map(_finding, values["findings"])),
            files={str(kind): str(path) for kind, path in values.get("files", {}).items()},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None
    for finding in row.findings:
        if not (0 <= finding.probability <= 1 and 0 <= finding.threshold <= 1):
            raise ValueError(f"{finding.name} has probability {finding.probability}")
    return row


def _finding(values: dict[str, Any]) -> FindingScore:
    """Return a finding from its JSON values."""
    numbers = (float(values[name]) for name in ("score", "probability", "threshold"))
    return FindingScore(str(values["name"]), *numbers)


def _cells(rows: Iterable[FindingRow | FailedRow]) -> Iterator[dict[str, Any]]:
    """Yield the values of each line of the table."""
    for row in rows:
        if isinstance(row, FailedRow):
            yield {"source": row.source, "error": row.error}
            continue
        present = "; ".join(finding.name for finding in row.findings if finding.is_present)
        cells: dict[str, Any] = {finding.name: round(finding.probability, 6) for finding in row.findings}
        yield cells | {
            "source": row.source,
            "present": present,
            "mode": row.mode,
            "provenance": row.provenance,
        }

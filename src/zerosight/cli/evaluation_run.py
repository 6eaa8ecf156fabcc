"""What evaluations of anomalies and of findings share on the command line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zerosight.cli.console import messages

if TYPE_CHECKING:
    from zerosight.data.manifest import Dataset
    from zerosight.journal import Store


@dataclass(frozen=True, slots=True)
class Run:
    """Which model, where results go, and how a run goes on.

    Attributes:
        model: A shipped model's name, a folder or a graph.
        device: Where it runs.
        out: Folder for results; None prints only.
        json_file: File for JSON, or ``-``; None for none.
        resume: Go on with an interrupted run.
        overwrite: Replace results.
    """

    model: str
    device: str
    out: Path | None
    json_file: str | None
    resume: bool
    overwrite: bool

    @property
    def quiet(self) -> bool:
        """Whether only JSON is printed."""
        return self.json_file == "-"

    def store(self, name: str) -> Store:
        """Return where what is found about a data set is kept."""
        from zerosight.journal import Store

        return Store(None if self.out is None else self.out / name, self.resume, self.overwrite)


def open_datasets(texts: list[str]) -> dict[str, Dataset]:
    """Return the data sets by a name of their own, which is also that of their folder."""
    from zerosight.data.layouts import open_dataset
    from zerosight.report.writer import safe_name

    found: dict[str, Dataset] = {}
    for text in texts:
        dataset = open_dataset(text)
        name = stem = safe_name(dataset.header.name)
        number = 1
        while name in found:
            number += 1
            name = f"{stem}-{number}"
        found[name] = dataset
    return found


def words(texts: list[str] | None) -> tuple[str, ...] | None:
    """Return the words of options that may be repeated or joined by commas."""
    return tuple(word for text in texts for word in text.split(",") if word) if texts else None


def write_json(values: dict[str, Any], file: str | None) -> None:
    """Write a JSON file if one is named, and say so."""
    from zerosight.files import write_atomically

    if file is not None:
        write_atomically(Path(file), json.dumps(values, indent=1).encode() + b"\n")
        messages.print(f"JSON: {file}", soft_wrap=True, markup=False)

"""Output: a study as JSON for programs, Markdown for documents and a page to look at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from zerosight.ablate.picture import LINE, WIDTH, WORDS, picture
from zerosight.ablate.tables import MEAN, Column, StudyTables
from zerosight.files import packaged, write_atomically
from zerosight.report.cells import escaped
from zerosight.report.page import environment

JSON, MARKDOWN, PAGE, PICTURE = "ablation.json", "ablation.md", "ablation.html", "ablation.svg"

INTERVALS = (
    "Per cent. In brackets 95 % bootstrap intervals over images (or groups); resamples are the same for all "
    "variants, so that differences (±) are paired. After ± in a value stands the deviation over seeds."
)


def write_study(out: Path, tables: StudyTables, about: Mapping[str, str], pictured: str) -> Path:
    """Write the results and return the page's path.

    Args:
        out: Folder to write to.
        tables: The results.
        about: What to say of data, weights and command.
        pictured: The metric whose mean the picture shows.

    Raises:
        OutputError: The folder cannot be written.
    """
    values = tables.to_json() | {"about": dict(about)}
    content = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(out / JSON, content.encode() + b"\n")
    write_atomically(out / MARKDOWN, markdown(tables, about).encode())
    shown = picture(tables, Column(MEAN, pictured))
    sizes = {"line": LINE, "width": WIDTH, "words": WORDS}
    templates = environment(packaged("ablate"))
    drawn = templates.get_template("ablation.svg.j2").render(picture=shown, **sizes)
    write_atomically(out / PICTURE, drawn.encode())
    page = templates.get_template("ablation.html.j2").render(
        title=tables.title, tables=tables.tables(), picture=shown, about=about, note=INTERVALS, **sizes
    )
    write_atomically(out / PAGE, page.encode())
    return out / PAGE


def markdown(tables: StudyTables, about: Mapping[str, str]) -> str:
    """Return the results as Markdown."""
    parts = [f"# {tables.title}", INTERVALS, f"Compared with: {tables.reference}."]
    parts += [table.markdown("##") for table in tables.tables()]
    parts += ["## About", "\n".join(f"- {escaped(name)}: {escaped(value)}" for name, value in about.items())]
    return "\n\n".join(parts) + "\n"

"""Output: what every evaluation writes, JSON for programs, Markdown for documents and a page to look at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zerosight.files import write_atomically

JSON, MARKDOWN, PAGE = "evaluation.json", "evaluation.md", "evaluation.html"


def write_evaluation(out: Path, values: Mapping[str, Any], markdown: str, page: str) -> Path:
    """Write ``evaluation.json``, ``evaluation.md`` and ``evaluation.html`` and return the page's path.

    Args:
        out: Folder to write to.
        values: The results as JSON values.
        markdown: The results as Markdown.
        page: The results as HTML.

    Raises:
        OutputError: The folder cannot be written.
    """
    content = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(out / JSON, content.encode(errors="backslashreplace") + b"\n")
    write_atomically(out / MARKDOWN, markdown.encode(errors="replace"))
    write_atomically(out / PAGE, page.encode(errors="replace"))
    return out / PAGE

"""The notebook of the documentation runs, cell by cell, as it is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).resolve().parents[1] / "docs" / "first-steps.ipynb"


@pytest.mark.slow
def test_every_cell_runs_and_says_what_the_page_says(tmp_path, monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    pytest.importorskip("pandas")
    matplotlib.use("agg")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    for cell in json.loads(NOTEBOOK.read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    from matplotlib import pyplot

    pyplot.close("all")
    assert names["one"].is_anomalous  # type: ignore[attr-defined]
    assert 0 <= names["found"].datasets[0].mean.image.auroc.value <= 1  # type: ignore[attr-defined]
    assert names["again"].card.name == "mine"  # type: ignore[attr-defined]

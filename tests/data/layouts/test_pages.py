"""The pages in docs/datasets are those that the readers make."""

from __future__ import annotations

from pathlib import Path

from zerosight.data.layouts import list_layouts
from zerosight.data.layouts.pages import COMMAND, dataset_pages

DOCS = Path(__file__).resolve().parents[3] / "docs" / "datasets"


def test_committed_pages_are_the_generated_ones():
    committed = {path.name: path.read_text(encoding="utf-8") for path in DOCS.iterdir()}
    assert committed == dataset_pages(), f"run: {COMMAND}"


def test_every_page_tells_licence_source_citation_and_counts():
    pages = dataset_pages()
    for info in list_layouts():
        page = pages[f"{info.name}.md"]
        assert all(text in page for text in (info.licence, info.citation, info.source, info.layout.looks_for))
        assert f"[{info.name}]({info.name}.md)" in pages["README.md"]
    assert "| carpet | 28 | 89 |" in pages["mvtec_ad.md"]
    assert "- Test images: 6996 normal, 1054 anomalous" in pages["dagm.md"]
    assert "| pleural effusion | 4658 |" in pages["chestxray14.md"]
    assert "- Reports: yes" in pages["mimic_cxr.md"]

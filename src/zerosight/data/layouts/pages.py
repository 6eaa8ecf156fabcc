"""Pages: a document per data set, generated from what the readers know so that it cannot drift."""

from __future__ import annotations

from collections.abc import Iterator

from zerosight.data.layouts.catalog import list_layouts
from zerosight.data.layouts.info import DatasetInfo

INDEX = "README.md"
COMMAND = "zerosight data list --pages docs/datasets"


def dataset_pages() -> dict[str, str]:
    """Return the Markdown pages by file name: an index, and one page per data set."""
    infos = list_layouts()
    pages = {INDEX: "\n".join(_index(infos)) + "\n"}
    return pages | {f"{info.name}.md": "\n".join(_page(info)) + "\n" for info in infos}


def counts(info: DatasetInfo) -> tuple[str, str]:
    """Return the numbers of normal and anomalous test images that the field reports, as text.

    >>> counts(next(info for info in list_layouts() if info.name == "ksdd"))
    ('286 to 347', '52 to 54')
    """
    if info.expected is None:
        return "any", "any"
    normal, anomalous = (
        str(low) if low == high else f"{low} to {high}"
        for low, high in (info.expected.normal, info.expected.anomalous)
    )
    return normal, anomalous


def _index(infos: tuple[DatasetInfo, ...]) -> Iterator[str]:
    yield "# Data sets"
    yield ""
    yield "zerosight reads these data sets as their owners publish them: nothing is copied or renamed."
    yield "It downloads none of them; read each licence before you use one."
    yield ""
    yield "| name | categories | normal | anomalous | masks | licence |"
    yield "|---|---:|---:|---:|---|---|"
    for info in infos:
        normal, anomalous = counts(info)
        masks = "yes" if info.has_masks else "if there are any" if info.expected is None else "no"
        categories = "any" if info.expected is None else len(info.categories)
        licence = info.licence or "yours"
        name = f"[{info.name}]({info.name}.md)"
        yield f"| {name} | {categories} | {normal} | {anomalous} | {masks} | {licence} |"
    yield ""
    yield "Counts are of test images. A reader that finds others says so, names what is missing and goes on."
    yield ""
    yield f"These pages are generated: `{COMMAND}`"


def _page(info: DatasetInfo) -> Iterator[str]:
    normal, anomalous = counts(info)
    yield f"# {info.name}"
    yield ""
    if info.expected is None:
        yield "Any folder of your own, read by the names of its folders."
    for key, value in (("Licence", info.licence), ("Cite", info.citation), ("Get it", info.source)):
        if value:
            yield f"- {key}: {value}"
    if info.expected is not None:
        yield f"- Test images: {normal} normal, {anomalous} anomalous"
        masks = f"yes, anomalous where above {info.mask_threshold}" if info.has_masks else "no"
        yield f"- Masks: {masks}"
    yield ""
    yield "## Layout"
    yield ""
    yield f"Looked for, in the folder you name or up to three levels below: {info.layout.looks_for}."
    if info.aliases:
        names = ", ".join(f"`{name}`" for name in info.aliases)
        yield f"Of several folders that look alike, one named `{info.name}` or {names} comes first."
    yield "Masks are paired with images by name."
    yield ""
    if info.expected is not None and len(info.categories) > 1:
        yield from _categories(info)
    yield "## Use"
    yield ""
    yield "```sh"
    yield f"zerosight data check {info.name}:FOLDER"
    yield f"zerosight evaluate --data {info.name}:FOLDER --out results"
    yield "```"


def _categories(info: DatasetInfo) -> Iterator[str]:
    yield f"## Categories ({len(info.categories)})"
    yield ""
    expected = info.expected.categories if info.expected else {}
    if not expected:
        yield ", ".join(f"`{name}`" for name in info.categories)
    else:
        yield "| category | normal | anomalous |"
        yield "|---|---:|---:|"
        for name, (normal, anomalous) in expected.items():
            yield f"| {name} | {normal} | {anomalous} |"
    yield ""

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


def test_images(info: DatasetInfo) -> str:
    """Return the numbers of test images that the field reports of a set of findings, as text.

    >>> test_images(next(info for info in list_layouts() if info.name == "siim_pneumothorax"))
    '2317 or 12047'
    """
    return " or ".join(map(str, info.test_positives)) or "any"


def _index(infos: tuple[DatasetInfo, ...]) -> Iterator[str]:
    yield "# Data sets"
    yield ""
    yield "zerosight reads these data sets as their owners publish them: nothing is copied or renamed."
    yield "It downloads none of them; read each licence before you use one."
    yield ""
    yield "| name | categories | normal | anomalous | masks | licence |"
    yield "|---|---:|---:|---:|---|---|"
    for info in infos:
        if info.findings is not None:
            continue
        normal, anomalous = counts(info)
        masks = "yes" if info.has_masks else "if there are any" if info.expected is None else "no"
        categories = "any" if info.expected is None else len(info.categories)
        licence = info.licence or "yours"
        name = f"[{info.name}]({info.name}.md)"
        yield f"| {name} | {categories} | {normal} | {anomalous} | {masks} | {licence} |"
    yield ""
    yield "Chest X-rays, with findings, patients and, where there are any, reports:"
    yield ""
    yield "| name | findings | test images | reports | licence |"
    yield "|---|---:|---:|---|---|"
    for info in infos:
        if info.findings is not None:
            findings = len(info.findings) or "any"
            reports = "yes" if info.has_reports else "no" if info.test_positives else "if there are any"
            name = f"[{info.name}]({info.name}.md)"
            yield f"| {name} | {findings} | {test_images(info)} | {reports} | {info.licence or 'yours'} |"
    yield ""
    yield "Counts are of test images. A reader that finds others says so, names what is missing and goes on."
    yield ""
    yield f"These pages are generated: `{COMMAND}`"


def _page(info: DatasetInfo) -> Iterator[str]:
    yield f"# {info.name}"
    yield ""
    if not info.licence:
        by = "the names of its folders" if info.findings is None else "its table"
        yield f"Any folder of your own, read by {by}."
        if info.findings is not None:
            yield ""
    for key, value in (("Licence", info.licence), ("Cite", info.citation), ("Get it", info.source)):
        if value:
            yield f"- {key}: {value}"
    yield from _facts(info) if info.findings is None else _finding_facts(info)
    yield ""
    yield "## Layout"
    yield ""
    yield f"Looked for, in the folder you name or up to three levels below: {info.layout.looks_for}."
    if info.aliases:
        names = ", ".join(f"`{name}`" for name in info.aliases)
        yield f"Of several folders that look alike, one named `{info.name}` or {names} comes first."
    if info.findings is None:
        yield "Masks are paired with images by name."
    yield ""
    if info.expected is not None and len(info.categories) > 1:
        yield from _categories(info)
    if info.findings:
        yield from _findings(info)
    yield "## Use"
    yield ""
    yield "```sh"
    yield f"zerosight data check {info.name}:FOLDER"
    yield f"zerosight evaluate --data {info.name}:FOLDER --out results"
    yield "```"


def _facts(info: DatasetInfo) -> Iterator[str]:
    if info.expected is not None:
        normal, anomalous = counts(info)
        yield f"- Test images: {normal} normal, {anomalous} anomalous"
        masks = f"yes, anomalous where above {info.mask_threshold}" if info.has_masks else "no"
        yield f"- Masks: {masks}"


def _finding_facts(info: DatasetInfo) -> Iterator[str]:
    yield f"- Test images: {test_images(info)}"
    yield f"- Categories: {', '.join(info.categories)}"
    if info.has_reports:
        yield "- Reports: yes"


def _findings(info: DatasetInfo) -> Iterator[str]:
    names = info.findings or ()
    known = {number: counts for number, counts in info.test_positives.items() if counts}
    yield f"## Findings ({len(names)})"
    yield ""
    if not known:
        yield ", ".join(f"`{name}`" for name in names)
    else:
        yield "| finding |" + "".join(f" of {number} test images |" for number in known)
        yield "|---|" + "---:|" * len(known)
        for name in names:
            yield f"| {name} |" + "".join(f" {counts.get(name, '')} |" for counts in known.values())
    yield ""


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

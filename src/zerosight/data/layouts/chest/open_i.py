"""Open-I, the Indiana University chest X-rays: a report per case, as XML or as Kaggle's tables, and PNGs.

Read from the owners' reports. torchxrayvision's class of this set keeps neither the reports' text nor the
indexers' own MeSH terms (it takes the automatic ones), and finds words within words; used of it are only its
copy of the reports, where the folder has images and no reports, and its table of views, where the folder has
none. The owners publish no split: all is ``test`` unless lists beside the reports say otherwise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from zerosight.data.chest.names import NO_FINDING
from zerosight.data.layouts.chest.images import key
from zerosight.data.layouts.chest.layout import ChestLayout
from zerosight.data.layouts.chest.tables import (
    UNLISTED,
    carried,
    find_files,
    find_table,
    has_table,
    read_lists,
    view_of,
)
from zerosight.data.layouts.info import DatasetInfo, Scan, TableCase
from zerosight.data.layouts.tree import read_csv
from zerosight.errors import DamagedError, DataError, one_line
from zerosight.guarded.archives import parse_xml, tar_files

_REPORTS = ("indiana_reports.csv",)
_REPORT_COLUMNS = ("uid", "mesh", "findings", "impression")
_VIEWS = ("indiana_projections.csv",)
_VIEW_COLUMNS = ("uid", "filename", "projection")
_PACKED = ("nlmcxr_reports.tgz",)
_XML = ("ecgen-radiology/*.xml", "[0-9]*.xml")
_IMAGES = ("cxr*_im-*.png", "*/cxr*_im-*.png")
_SECTIONS = ("comparison", "indication", "findings", "impression")
_MAX_XML = 1 << 20
_TERMS: dict[str, tuple[str, ...]] = {
    NO_FINDING: ("normal",),
    "atelectasis": ("pulmonary atelectasis",),
    "cardiomegaly": ("cardiomegaly",),
    "pleural effusion": ("pleural effusion", "hydropneumothorax"),
    "infiltration": ("infiltrate",),
    "mass": ("mass",),
    "nodule": ("nodule",),
    "pneumonia": ("pneumonia",),
    "pneumothorax": ("pneumothorax", "hydropneumothorax", "hemopneumothorax"),
    "consolidation": ("consolidation",),
    "edema": ("pulmonary edema",),
    "emphysema": ("emphysema", "pulmonary emphysema", "bullous emphysema"),
    "fibrosis": ("pulmonary fibrosis",),
    "pleural thickening": ("thickening/pleura",),
    "hernia": ("hernia, hiatal", "hernia, diaphragmatic"),
    "lung opacity": ("opacity", "airspace disease"),
    "fracture": ("fractures, bone",),
    "tuberculosis": ("tuberculosis",),
    "granuloma": ("granuloma", "calcified granuloma"),
    "support devices": (
        *("implanted medical device", "medical device", "catheters, indwelling", "tube, inserted"),
    ),
}
_SAY_NOTHING = {"", "no indexing", "technical quality of image unsatisfactory"}


def _tells(folder: Path) -> bool:
    tables = has_table(folder, _REPORTS, _REPORT_COLUMNS) and has_table(folder, _VIEWS, _VIEW_COLUMNS)
    return tables or any(find_files(folder, (*_PACKED, *_XML, *_IMAGES)))


def _cases(scan: Scan) -> Iterator[TableCase]:
    splits = read_lists(scan.folder)
    views = _views(scan)
    told = _tables(scan) if any(find_files(scan.folder, _REPORTS)) else _documents(scan)
    for image, patient, terms, text in told:
        yield TableCase(
            image=image,
            labels=_labels(terms),
            split="test" if splits is None else splits.get(key(image), UNLISTED),
            patient=patient,
            text=text or None,
            view=views.get(key(image), "other"),
        )


def _tables(scan: Scan) -> Iterator[tuple[str, str, list[str], str]]:
    """Yield image, patient, MeSH terms and text of every image of Kaggle's two tables."""
    table = find_table(scan, _REPORTS, _REPORT_COLUMNS)
    reports = {row["uid"]: row for _, row in read_csv(table, _REPORT_COLUMNS)}
    for path in list(find_files(scan.folder, _VIEWS))[:1]:
        for line, row in read_csv(path, _VIEW_COLUMNS):
            report = reports.get(row["uid"])
            if report is None:
                raise DataError(f"{path}:{line}: uid {row['uid'][:80]!r} has no report in {table.name}")
            text = _text((name, report.get(name, "")) for name in _SECTIONS)
            yield row["filename"], f"CXR{row['uid']}", report["mesh"].split(";"), text


def _documents(scan: Scan) -> Iterator[tuple[str, str, list[str], str]]:
    """Yield image, patient, MeSH terms and text of every image of the XML reports."""
    for where, data in _sources(scan):
        try:
            root = parse_xml(data)
        except DamagedError as error:
            raise DataError(f"{where}: is not the XML of a report ({error})") from None
        uid = root.find("uId")
        if uid is None or not uid.get("id"):
            raise DataError(f"{where}: has no uId; expected a report of the Indiana University collection")
        sections = ((node.get("Label", ""), node.text or "") for node in root.iter("AbstractText"))
        text = _text(sections)
        terms = [node.text or "" for node in root.iterfind("MeSH/major")]
        for image in root.iter("parentImage"):
            if image.get("id"):
                yield image.attrib["id"], uid.attrib["id"], terms, text


def _sources(scan: Scan) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every report: files, else packed ones, else torchxrayvision's."""
    files = [path for pattern in _XML for path in find_files(scan.folder, (pattern,))]
    for path in files:
        try:
            yield str(path), path.read_bytes()[:_MAX_XML]
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    if files:
        return
    packed = find_table(scan, _PACKED, copy="NLMCXR_reports.tgz")
    try:
        for name, content in tar_files(packed, ".xml", _MAX_XML):
            yield f"{packed}/{one_line(name, 80)}", content
    except DamagedError as error:
        raise DataError(f"{packed}: {str(error).removeprefix('it ')}") from None


def _text(sections: Iterable[tuple[str, str]]) -> str:
    """Return a report with its headings, as radiologists write them."""
    filled = ((name.upper(), " ".join(text.split())) for name, text in sections)
    return "\n".join(f"{name}: {text}" if name else text for name, text in filled if text)


def _labels(terms: Iterable[str]) -> dict[str, int | None]:
    """Return the labels that MeSH terms such as ``Thickening/pleura/apex`` say."""
    given: dict[str, set[str]] = defaultdict(set)
    for term in terms:
        head, *qualifiers = (part.strip().casefold() for part in term.split("/"))
        given[head].update(qualifiers)
    heads = given.keys() - _SAY_NOTHING
    if not heads:
        return dict.fromkeys(_TERMS)
    exact = heads | {f"{head}/{qualifier}" for head in heads for qualifier in given[head]}
    return {finding: int(not exact.isdisjoint(names)) for finding, names in _TERMS.items()}


def _views(scan: Scan) -> dict[str, str]:
    """Return the view of every image whose view is known."""
    for path in list(find_files(scan.folder, _VIEWS))[:1]:
        return {key(row["filename"]): view_of(row["projection"]) for _, row in read_csv(path, _VIEW_COLUMNS)}
    table = carried("nlmcxr_dicom_metadata.csv.gz")
    if table is None:
        scan.problems.append("no indiana_projections.csv: views are not known; the category is 'other'")
        return {}
    columns = ("imageid", "view position")
    return {key(row["imageid"]): view_of(row["view position"]) for _, row in read_csv(table, columns)}


OPEN_I_INFO = DatasetInfo(
    name="open_i",
    categories=("frontal", "lateral", "other"),
    layout=ChestLayout(
        "ecgen-radiology/1.xml … or NLMCXR_reports.tgz and CXR1_1_IM-0001-3001.png … somewhere below, or "
        "indiana_reports.csv, indiana_projections.csv and their images; test_list.txt, where there is one, "
        "names the test images",
        _tells,
        _cases,
    ),
    has_masks=False,
    aliases=("openi", "iu_xray", "nlmcxr", "indiana", "chest_xrays_indiana_university"),
    findings=tuple(_TERMS),
    test_positives={7470: {}},
    has_reports=True,
    licence="CC BY-NC-ND 4.0",
    citation="Demner-Fushman et al., Preparing a collection of radiology examinations for distribution and "
    "retrieval, JAMIA 2016",
    source="https://openi.nlm.nih.gov/faq",
)

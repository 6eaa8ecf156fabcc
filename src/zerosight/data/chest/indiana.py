"""The Indiana University chest X-ray reports (Open-I), with the terms that people indexed them by.

The optional package torchxrayvision carries them; its own modules, which take long to load, are not imported.
Licence: CC BY-NC-ND 4.0. Cite: Demner-Fushman et al., JAMIA 2016.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zerosight.errors import DamagedError, DataError, MissingExtraError
from zerosight.guarded.archives import parse_xml, tar_files

_LARGEST_REPORT = 1 << 20  # bytes
_ARCHIVE = Path("data", "NLMCXR_reports.tgz")


@dataclass(frozen=True, slots=True)
class IndianaReport:
    """One report.

    Attributes:
        uid: Number of the report, as text.
        findings: Text of the section, empty where there is none.
        impression: Text of the section, empty where there is none.
        mesh: Terms given by people, such as ``Cardiomegaly/borderline``; ``normal`` and ``No Indexing`` too.
    """

    uid: str
    findings: str
    impression: str
    mesh: tuple[str, ...]


def indiana_reports(archive: Path | None = None) -> Iterator[IndianaReport]:
    """Yield the reports in the order of the archive.

    Args:
        archive: ``NLMCXR_reports.tgz`` of Open-I; by default the copy in torchxrayvision.

    Raises:
        MissingExtraError: torchxrayvision is not installed; the message names the command that installs it.
        DataError: The archive is missing or damaged.
    """
    path = _packaged() if archive is None else archive
    try:
        for _, content in tar_files(path, ".xml", _LARGEST_REPORT):
            yield _parse(content)
    except DamagedError as error:
        raise DataError(f"{path}: cannot be read as an archive of reports ({type(error).__name__})") from None


def _packaged() -> Path:
    """Return the archive in the installed package."""
    spec = importlib.util.find_spec("torchxrayvision")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(
            "the package 'torchxrayvision' is not installed; run: pip install 'zerosight[xray]'"
        )
    return Path(spec.submodule_search_locations[0]) / _ARCHIVE


def _parse(content: bytes) -> IndianaReport:
    """Return the report in an XML file."""
    root = parse_xml(content)
    sections = {section.get("Label"): section.text or "" for section in root.iter("AbstractText")}
    uid = root.find("uId")
    return IndianaReport(
        uid="" if uid is None else uid.get("id", "").removeprefix("CXR"),
        findings=sections.get("FINDINGS", "").strip(),
        impression=sections.get("IMPRESSION", "").strip(),
        mesh=tuple(term.text.strip() for term in root.iterfind("MeSH/major") if term.text),
    )

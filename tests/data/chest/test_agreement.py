"""The Indiana reports and how the extractor agrees with their index."""

from __future__ import annotations

import csv
import importlib.util
import io
import math
import tarfile
from pathlib import Path

import pytest

from zerosight.data.chest.agreement import index_labels, label_agreement
from zerosight.data.chest.indiana import IndianaReport, indiana_reports
from zerosight.errors import DataError, MissingExtraError

XML = """<?xml version="1.0" encoding="utf-8"?><eCitation><uId id="CXR{uid}"/><Abstract>
<AbstractText Label="FINDINGS">{findings}</AbstractText><AbstractText Label="IMPRESSION"/></Abstract>
<MeSH><major>{mesh}</major></MeSH></eCitation>"""


def archive(path: Path, *contents: str) -> Path:
    """Write an archive of reports."""
    with tarfile.open(path, "w:gz") as files:
        for number, content in enumerate(contents):
            member = tarfile.TarInfo(f"reports/{number}.xml")
            member.size = len(content.encode())
            files.addfile(member, io.BytesIO(content.encode()))
    return path


def test_an_archive_is_read(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tgz", XML.format(uid=7, findings=" Clear. ", mesh="normal"))
    assert list(indiana_reports(path)) == [IndianaReport("7", "Clear.", "", ("normal",))]


def test_missing_and_damaged_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = archive(tmp_path / "a.tgz", XML.format(uid=1, findings="x", mesh="y") * 2)
    (tmp_path / "cut.tgz").write_bytes(whole.read_bytes()[:60])
    for name in ("a.tgz", "cut.tgz", "none.tgz"):
        with pytest.raises(DataError, match=f"{name}: cannot be read as an archive"):
            list(indiana_reports(tmp_path / name))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'zerosight\[xray\]'"):
        list(indiana_reports())


def test_index_terms() -> None:
    labels = index_labels(
        ["Pulmonary Atelectasis/base", "Density/lung/round", "Mastectomy", "Cardiac Shadow"]
    )
    assert labels["atelectasis"] == 1
    assert labels["nodule"] is None
    assert labels["mass"] == 0
    assert labels["cardiomegaly"] is None
    assert labels["no finding"] == 0
    assert index_labels(["normal"])["no finding"] == 1
    assert index_labels(["Catheters, Indwelling/right"])["no finding"] == 1


def test_counts_and_rates() -> None:
    reports = [
        IndianaReport("1", "Small effusion.", "", ("Pleural Effusion/small",)),
        IndianaReport("3", "Small effusion.", "", ("normal",)),
        IndianaReport("5", "Clear.", "", ("Pleural Effusion",)),
        IndianaReport("7", "Possible effusion.", "", ("Pleural Effusion",)),
        IndianaReport("9", "Clear.", "", ("normal",)),
        IndianaReport("2", "Small effusion.", "", ("Pleural Effusion",)),
        IndianaReport("11", "Small effusion.", "", ("No Indexing",)),
        IndianaReport("13", "", "", ("Pleural Effusion",)),
    ]
    row = next(row for row in label_agreement(reports) if row.finding == "pleural effusion")
    assert (row.both, row.extractor_only, row.index_only, row.neither) == (1, 1, 1, 1)
    assert (row.uncertain, row.uncertain_indexed) == (1, 1)
    assert row.precision == row.recall == row.f1 == 0.5
    assert row.to_json()["f1"] == 0.5
    everything = {row.finding: row for row in label_agreement(reports, "all")}
    assert everything["pleural effusion"].both == 2
    assert math.isnan(everything["hernia"].precision)
    assert everything["hernia"].to_json()["precision"] is None
    tuning = {row.finding: row for row in label_agreement(reports, "tuning")}
    assert tuning["pleural effusion"].neither == 0


def test_held_out_reports_agree_with_their_index() -> None:
    if importlib.util.find_spec("torchxrayvision") is None:
        pytest.skip("torchxrayvision is not installed")
    rows = {row.finding: row for row in label_agreement(indiana_reports())}
    common = [row for row in rows.values() if row.both + row.index_only >= 20]
    assert len(common) >= 12
    for row in common:
        assert row.f1 > 0.85, row
    assert rows["pleural effusion"].f1 > 0.95
    assert rows["cardiomegaly"].precision > 0.95


@pytest.mark.realdata
def test_the_package_and_the_table_hold_the_same_reports(realdata: Path) -> None:
    with (realdata / "iu_reports" / "indiana_reports.csv").open(encoding="utf-8") as file:
        table = {row["uid"]: row for row in csv.DictReader(file)}
    packaged = {report.uid: report for report in indiana_reports()}
    assert len(packaged) == 3955
    assert set(table) <= set(packaged)
    assert all(packaged[uid].findings == row["findings"] for uid, row in table.items())

"""PadChest, Open-I and MIMIC-CXR, which have reports, on miniatures of the real trees with their traps."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from zerosight.data.layouts import read_layout
from zerosight.errors import DataError

Tree = Callable[..., Path]
PADCHEST = ",ImageID,ImageDir,PatientID,PatientBirth,Projection,Report,Labels\n"
NAMES = "subject_id,study_id,Atelectasis,Cardiomegaly,No Finding,Pleural Effusion"
XML = """<?xml version="1.0" encoding="utf-8"?>
<eCitation><uId id="CXR{uid}"/><MedlineCitation><Article><Abstract>
<AbstractText Label="COMPARISON">None.</AbstractText><AbstractText Label="INDICATION"/>
<AbstractText Label="FINDINGS">Heart size  is
 large.</AbstractText><AbstractText Label="IMPRESSION">Cardiomegaly.</AbstractText>
</Abstract></Article></MedlineCitation><MeSH>{terms}</MeSH>
<parentImage id="CXR{uid}_1_IM-0001-3001"/><parentImage id="CXR{uid}_1_IM-0001-4001"/></eCitation>
"""
REPORT = "COMPARISON: None.\nFINDINGS: Heart size is large.\nIMPRESSION: Cardiomegaly."


def xml(uid: int, *terms: str) -> str:
    return XML.format(uid=uid, terms="".join(f"<major>{term}</major>" for term in terms))


def test_padchest_names_are_taken_whole(tree: Tree) -> None:
    root = tree(
        *(f"{folder}/{name}.png" for folder, name in ((0, "a"), (1, "b"), (1, "c"), (54, "d"), (54, "e"))),
        texts={
            "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv": PADCHEST
            + "0,a.png,0,p1,1930,PA, sin hallazg .,['normal']\n"
            + "1,b.png,1,p2,2015,L,nodul .,\"['pseudonodule', ' laminar atelectasis ', '']\"\n"
            + "2,c.png,1,p2,1930,AP_horizontal,,['unchanged']\n"
            + "3,d.png,54,p3,1930,COSTAL,x .,\"['exclude', 'nodule']\"\n"
            + "4,e.png,54,p4,1930,PA,x .,\n",
        },
        below="BIMCV-PadChest",
    )
    dataset = read_layout("padchest", root)
    facts = {r.image: (r.group, r.text, r.category, r.label, r.split) for r in dataset.rows}
    assert facts == {
        "0/a.png": ("p1", "sin hallazg .", "frontal", 0, "test"),
        "1/b.png": ("p2", "nodul .", "lateral", 1, "test"),
        "1/c.png": ("p2", None, "frontal", None, "test"),
        "54/d.png": ("p3", "x .", "other", None, "test"),
        "54/e.png": ("p4", "x .", "frontal", None, "test"),
    }
    labels = {row.image: row.labels for row in dataset.rows}
    assert {name for name, value in labels["1/b.png"].items() if value} == {"atelectasis"}
    assert labels["1/b.png"]["nodule"] == 0
    assert all(set(labels[name].values()) == {None} for name in ("1/c.png", "54/d.png", "54/e.png"))


LONG_TAIL = "dicom_id,subject_id,study_id,ViewPosition,ViewCodeSequence_CodeMeaning,fpath,{}\n"


def test_each_task_of_cxr_lt_has_its_parts_and_findings(tree: Tree) -> None:
    def row(name: str, view: str, *marks: int) -> str:
        facts = f"{name},10000{name},500,{view},x,files/p10/p10000{name}/s500/{name}.jpg"
        return ",".join([facts, *map(str, marks)]) + "\n"

    findings = LONG_TAIL.format("Atelectasis,Normal,Round(ed) Atelectasis")
    root = tree(
        *(f"mimic-cxr-jpg/2.0.0/files/p10/p10000{name}/s500/{name}.jpg" for name in "abcde"),
        texts={
            "cxr-lt-2024/train_labeled.csv": findings + row("a", "PA", 1, 0, 1),
            "cxr-lt-2024/development_labeled_task1.csv": findings + row("b", "LL", 0, 1, 0),
            "cxr-lt-2024/test_labeled_task1.csv": findings
            + row("c", "AP", 0, 1, 0)
            + row("x", "AP", 1, 0, 0),
            "cxr-lt-2024/test_labeled_task2.csv": LONG_TAIL.format("Mass") + row("d", "AP", 1),
            "cxr-lt-2024/development_labeled_task3.csv": LONG_TAIL.format("Bulla") + row("b", "", 1),
            "cxr-lt-2024/test_labeled_task3.csv": LONG_TAIL.format("Bulla") + row("c", "AP", 0),
        },
    )
    whole = read_layout("cxr_lt", root)
    facts = {row.image[-5]: (row.group, row.category, row.label, row.split) for row in whole.rows}
    assert facts == {
        "a": ("10000a", "frontal", 1, "train"),
        "b": ("10000b", "lateral", 0, "validation"),
        "c": ("10000c", "frontal", 0, "test"),
    }
    [first] = [row for row in whole.rows if row.split == "train"]
    assert first.labels == {"atelectasis": 1, "no finding": 0, "round(ed) atelectasis": 1}
    assert "missing file: files/p10/p10000x/s500/x.jpg" in whole.problems
    [gold] = read_layout("cxr_lt_gold", root).rows
    assert (gold.image[-5], gold.labels, gold.split) == ("d", {"mass": 1}, "test")
    unseen = read_layout("cxr_lt_unseen", root).rows
    assert {(row.image[-5], row.split, row.labels["bulla"]) for row in unseen} == {
        ("b", "validation", 1),
        ("c", "test", 0),
    }


@pytest.mark.parametrize("cell", ["nodule", "\"['nodule'\"", "3", "[1]", "__import__('os')"])
def test_a_padchest_cell_that_is_no_list_is_named(tree: Tree, cell: str) -> None:
    root = tree("a.png", texts={"padchest.csv": f"{PADCHEST}0,a.png,0,p1,1930,PA,x,{cell}\n"})
    with pytest.raises(
        DataError, match=r"padchest\.csv:2: Labels should be a list such as \['nodule'\], got"
    ):
        read_layout("padchest", root)


def test_open_i_reports_as_xml(tree: Tree) -> None:
    root = tree(
        "NLMCXR_png/CXR1_1_IM-0001-3001.png",
        "NLMCXR_png/CXR1_1_IM-0001-4001.png",
        "NLMCXR_png/CXR2_1_IM-0001-3001.png",
        texts={
            "ecgen-radiology/1.xml": xml(
                1, "Cardiomegaly/mild", "Thickening/pleura/apex", "Thickening/bronchi"
            ),
            "ecgen-radiology/2.xml": xml(2, "No Indexing"),
            "indiana_projections.csv": "uid,filename,projection\n1,CXR1_1_IM-0001-4001.dcm.png,Lateral\n"
            "1,CXR1_1_IM-0001-3001.png,Frontal\n",
        },
        below="openi",
    )
    dataset = read_layout("open_i", root)
    assert [(r.image[11:], r.group, r.text, r.split, r.label) for r in dataset.rows] == [
        ("CXR1_1_IM-0001-3001.png", "CXR1", REPORT, "test", 1),
        ("CXR1_1_IM-0001-4001.png", "CXR1", REPORT, "test", 1),
        ("CXR2_1_IM-0001-3001.png", "CXR2", REPORT, "test", None),
    ]
    assert dataset.rows[0].category == "frontal"
    positive = {name for name, value in dataset.rows[0].labels.items() if value}
    assert positive == {"cardiomegaly", "pleural thickening"}
    assert set(dataset.rows[2].labels.values()) == {None}
    assert "missing file: CXR2_1_IM-0001-4001" in dataset.report()


def test_open_i_reports_packed(tree: Tree) -> None:
    root = tree("CXR5_1_IM-0001-3001.png", texts={"readme.txt": ""})
    with tarfile.open(root / "NLMCXR_reports.tgz", "w:gz") as archive:
        for name, text in (("ecgen-radiology/5.xml", xml(5, "normal")), ("note.txt", "x")):
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    rows = read_layout("open_i", root).rows
    assert [(row.image, row.label, row.text) for row in rows] == [("CXR5_1_IM-0001-3001.png", 0, REPORT)]
    (root / "NLMCXR_reports.tgz").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"NLMCXR_reports\.tgz: cannot be unpacked"):
        read_layout("open_i", root)


def test_open_i_as_two_tables(tree: Tree) -> None:
    texts = {
        "indiana_reports.csv": "uid,MeSH,Problems,image,indication,comparison,findings,impression\n"
        '1,normal,normal,x,Cough.,,Clear lungs.,"Normal, clear."\n'
        "2,Cardiomegaly/borderline;Opacity/lung/base,x,x,,,,\n",
        "indiana_projections.csv": "uid,filename,projection\n1,1_IM-0001-4001.dcm.png,Frontal\n"
        "2,2_IM-0652-1001.dcm.png,Lateral\n",
    }
    images = (
        "images/images_normalized/1_IM-0001-4001.dcm.png",
        "images/images_normalized/2_IM-0652-1001.dcm.png",
    )
    root = tree(*images, texts=texts)
    dataset = read_layout("open_i", root)
    assert [(r.image, r.group, r.category, r.label, r.text) for r in dataset.rows] == [
        (
            images[0],
            "CXR1",
            "frontal",
            0,
            "INDICATION: Cough.\nFINDINGS: Clear lungs.\nIMPRESSION: Normal, clear.",
        ),
        (images[1], "CXR2", "lateral", 1, None),
    ]
    assert {name for name, value in dataset.rows[1].labels.items() if value} == {
        "cardiomegaly",
        "lung opacity",
    }
    (root / "indiana_projections.csv").write_text("uid,filename,projection\n3,x.png,Frontal\n")
    with pytest.raises(DataError, match=r"projections\.csv:2: uid '3' has no report in indiana_reports\.csv"):
        read_layout("open_i", root)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<eCitation>", "is not the XML of a report"),
        ("<a/>", "has no uId"),
        ("", "is not the XML of a report"),
    ],
)
def test_a_bad_open_i_report_is_named(tree: Tree, text: str, said: str) -> None:
    root = tree("CXR1_1_IM-0001-3001.png", texts={"ecgen-radiology/7.xml": text})
    with pytest.raises(DataError, match=f"7\\.xml: {said}"):
        read_layout("open_i", root)


def mimic(tree: Tree, split: str = "validate", **texts: str) -> Path:
    """Return a miniature as PhysioNet's two projects unpack side by side."""
    jpg, txt = "mimic-cxr-jpg/2.0.0", "mimic-cxr/2.0.0/files"
    return tree(
        f"{jpg}/files/p10/p10000032/s50414267/02aa-68e7.jpg",
        f"{jpg}/files/p10/p10000032/s50414267/174c-ec09.jpg",
        f"{jpg}/files/p11/p11000033/s50000001/aaaa-bbbb.jpg",
        texts={
            f"{jpg}/mimic-cxr-2.0.0-split.csv": "dicom_id,study_id,subject_id,split\n"
            "02aa-68e7,50414267,10000032,train\n174c-ec09,50414267,10000032,train\n"
            f"aaaa-bbbb,50000001,11000033,{split}\ncccc-dddd,50000002,11000033,test\n",
            f"{jpg}/mimic-cxr-2.0.0-chexpert.csv": f"{NAMES}\n10000032,50414267,-1.0,1.0,,0.0\n",
            f"{jpg}/mimic-cxr-2.0.0-metadata.csv": "dicom_id,ViewPosition\n02aa-68e7,PA\n174c-ec09,LATERAL\n"
            "aaaa-bbbb,\n",
            f"{txt}/p10/p10000032/s50414267.txt": "                FINAL REPORT\n FINDINGS: ___ clear.\n",
        }
        | texts,
    )


def test_mimic_images_share_their_study_s_labels_and_report(tree: Tree) -> None:
    dataset = read_layout("mimic_cxr", mimic(tree))
    start = "mimic-cxr-jpg/2.0.0/files"
    report = "FINAL REPORT\n FINDINGS: ___ clear."
    assert [(r.image, r.split, r.group, r.category, r.text) for r in dataset.rows] == [
        (f"{start}/p10/p10000032/s50414267/02aa-68e7.jpg", "train", "10000032", "frontal", report),
        (f"{start}/p10/p10000032/s50414267/174c-ec09.jpg", "train", "10000032", "lateral", report),
        (f"{start}/p11/p11000033/s50000001/aaaa-bbbb.jpg", "validation", "11000033", "other", None),
    ]
    assert dataset.rows[0].labels == {
        "no finding": None,
        "cardiomegaly": 1,
        "atelectasis": None,
        "pleural effusion": 0,
    }
    assert set(dataset.rows[2].labels.values()) == {None}
    assert dataset.rows[0].text is dataset.rows[1].text
    assert dataset.problems == (
        "study without a report: s50000001",
        "study without a report: s50000002",
        "study without labels: s50000001",
        "study without labels: s50000002",
        "missing file: p11/p11000033/s50000002/cccc-dddd.jpg",
    )


def test_mimic_from_the_folder_of_the_images_has_no_reports(tree: Tree) -> None:
    root = mimic(tree) / "mimic-cxr-jpg" / "2.0.0"
    (root / "mimic-cxr-2.0.0-metadata.csv").unlink()
    dataset = read_layout("mimic_cxr", root)
    assert {(row.text, row.category) for row in dataset.rows} == {(None, "other")}
    assert "views are not known" in dataset.problems[0]


def test_a_bad_mimic_split_is_named(tree: Tree) -> None:
    with pytest.raises(
        DataError, match=r"split\.csv:4: split should be one of train, validate, test, got 'x'"
    ):
        read_layout("mimic_cxr", mimic(tree, split="x"))

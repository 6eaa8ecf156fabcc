"""CXR-LT 2024: long-tailed labels of MIMIC-CXR-JPG's images, a table per part and task, as on PhysioNet.

Task 1 has 40 findings, task 2 some of them judged by radiologists, task 3 five that training does not name.
Each is a data set of its own, as the parts of one are not those of another. A row names its image by the path
that it has in MIMIC-CXR-JPG (``fpath``); the columns beside the facts about it are findings, "Normal" is our
"no finding". The tables are credentialed: their layout is known from what users of them published, and was
held to no real one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zerosight.data.chest.names import canonical
from zerosight.data.layouts.chest.layout import ChestLayout
from zerosight.data.layouts.chest.tables import find_files, find_table, has_table, mark, view_of
from zerosight.data.layouts.info import DatasetInfo, Scan, TableCase
from zerosight.data.layouts.tree import read_csv

_BELOW = ("", "cxr-lt-2024/", "*/cxr-lt-2024/", "*/*/cxr-lt-2024/")
_COLUMNS = ("dicom_id", "subject_id", "fpath")
_ABOUT = {*_COLUMNS, "study_id", "viewposition", "viewcodesequence_codemeaning", "split"}
_PARTS = (
    ("train", "train_labeled"),
    ("validation", "development_labeled_task{}"),
    ("test", "test_labeled_task{}"),
)
_TASK_2 = (
    *("Atelectasis", "Calcification of the Aorta", "Cardiomegaly", "Consolidation", "Edema", "Emphysema"),
    *("Enlarged Cardiomediastinum", "Fibrosis", "Fracture", "Hernia", "Infiltration", "Lung Lesion"),
    *("Lung Opacity", "Mass", "Normal", "Nodule", "Pleural Effusion", "Pleural Other", "Pleural Thickening"),
    *("Pneumomediastinum", "Pneumonia", "Pneumoperitoneum", "Pneumothorax", "Subcutaneous Emphysema"),
    *("Support Devices", "Tortuous Aorta"),
)
_TASK_1 = (
    *_TASK_2,
    *("Adenopathy", "Azygos Lobe", "Clavicle Fracture", "Fissure", "Granuloma", "Hydropneumothorax"),
    *("Infarction", "Kyphosis", "Lobar Atelectasis", "Pulmonary Embolism", "Pulmonary Hypertension"),
    *("Rib Fracture", "Round(ed) Atelectasis", "Tuberculosis"),
)
_TASK_3 = ("Bulla", "Cardiomyopathy", "Hilum", "Osteopenia", "Scoliosis")


def _tables(task: int, part: str) -> tuple[str, ...]:
    """Return where the table of a part may be."""
    return tuple(f"{folder}{part.format(task)}.csv*" for folder in _BELOW)


def _layout(task: int) -> ChestLayout:
    """Return how a task's tables are read; those of training are task 1's."""

    def tells(folder: Path) -> bool:
        return has_table(folder, _tables(task, _PARTS[-1][1]), _COLUMNS)

    def cases(scan: Scan) -> Iterator[TableCase]:
        for split, part in _PARTS[0 if task == 1 else 1 :]:
            places = _tables(task, part)
            if split == "test" or any(find_files(scan.folder, places)):
                yield from _cases(find_table(scan, places, _COLUMNS), split)

    trained = "train_labeled.csv, " if task == 1 else ""
    return ChestLayout(
        f"test_labeled_task{task}.csv with the columns dicom_id, subject_id, ViewPosition, fpath and one per "
        f"finding, here or in cxr-lt-2024, beside it {trained}development_labeled_task{task}.csv where they "
        "are there, and MIMIC-CXR-JPG's images (p10/p10000032/s50414267/*.jpg) somewhere below",
        tells,
        cases,
    )


def _cases(table: Path, split: str) -> Iterator[TableCase]:
    for line, row in read_csv(table, _COLUMNS):
        yield TableCase(
            image=row["fpath"],
            labels={
                canonical(column): mark(f"{table}:{line}", column, value)
                for column, value in row.items()
                if column and column not in _ABOUT
            },
            split=split,
            patient=row["subject_id"] or None,
            view=view_of(row.get("viewposition", "")),
        )


def _info(name: str, task: int, findings: tuple[str, ...], images: int | None = None) -> DatasetInfo:
    return DatasetInfo(
        name=name,
        categories=("frontal", "lateral", "other"),
        layout=_layout(task),
        has_masks=False,
        findings=tuple(map(canonical, findings)),
        test_positives={images: {}} if images else {},
        licence="PhysioNet credentialed health data licence 1.5.0",
        citation="Lin et al., CXR-LT 2024: A MICCAI challenge on long-tailed, multi-label, and zero-shot "
        "disease classification from chest X-ray, arXiv 2506.07984, 2025",
        source="https://physionet.org/content/cxr-lt-iccv-workshop-cvamd/2.0.0/",
    )


CXR_LT_INFOS = (
    _info("cxr_lt", 1, _TASK_1, 78946),
    _info("cxr_lt_gold", 2, _TASK_2, 406),
    _info("cxr_lt_unseen", 3, _TASK_3),
)

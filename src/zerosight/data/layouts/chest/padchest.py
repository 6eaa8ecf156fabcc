"""PadChest: one table with a list of findings and a (Spanish) report per image, and folders 0 … 54 of images.

Read from the owners' table. torchxrayvision's class of this set drops images of children, images without
labels, and reports, and finds words within words (``nodule`` in ``pseudonodule``); only its copy of the table
is used, where the folder has images and no table. Here names are taken whole. The owners publish no split:
all is ``test`` unless lists beside the table say otherwise.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from zerosight.data.chest.names import NO_FINDING
from zerosight.data.layouts.chest.images import key
from zerosight.data.layouts.chest.layout import ChestLayout
from zerosight.data.layouts.chest.tables import (
    UNLISTED,
    find_files,
    find_table,
    has_table,
    read_lists,
    view_of,
)
from zerosight.data.layouts.info import DatasetInfo, Scan, TableCase
from zerosight.data.layouts.tree import read_csv
from zerosight.errors import DataError

_TABLES = ("padchest*.csv*", "chest_x_ray_images_labels_160k*.csv*")
_COLUMNS = ("imageid", "patientid", "projection", "report", "labels")
_COPY = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz"
_CONSOLIDATIONS = ("consolidation", "air bronchogram")
_NAMES: dict[str, tuple[str, ...]] = {
    NO_FINDING: ("normal",),
    "atelectasis": (
        *("atelectasis", "laminar atelectasis", "lobar atelectasis", "segmental atelectasis"),
        *("round atelectasis", "total atelectasis", "atelectasis basal"),
    ),
    "cardiomegaly": ("cardiomegaly",),
    "pleural effusion": (
        *("pleural effusion", "loculated pleural effusion", "loculated fissural effusion"),
        *("hydropneumothorax", "empyema"),
    ),
    "infiltration": (
        *("infiltrates", "interstitial pattern", "ground glass pattern", "reticular interstitial pattern"),
        *("reticulonodular interstitial pattern", "miliary opacities", "alveolar pattern", *_CONSOLIDATIONS),
    ),
    "mass": ("mass", "pulmonary mass"),
    "nodule": ("nodule", "multiple nodules"),
    "pneumonia": ("pneumonia", "atypical pneumonia"),
    "pneumothorax": ("pneumothorax", "hydropneumothorax"),
    "consolidation": _CONSOLIDATIONS,
    "edema": ("pulmonary edema",),
    "emphysema": ("emphysema",),
    "fibrosis": ("pulmonary fibrosis",),
    "pleural thickening": ("pleural thickening", "apical pleural thickening", "calcified pleural thickening"),
    "hernia": ("hiatal hernia",),
    "tuberculosis": ("tuberculosis",),
    "fracture": (
        *("fracture", "rib fracture", "callus rib fracture", "clavicle fracture", "humeral fracture"),
        "vertebral fracture",
    ),
    "support devices": (
        *("nsg tube", "endotracheal tube", "tracheostomy tube", "chest drain tube", "gastrostomy tube"),
        *("ventriculoperitoneal drain tube", "central venous catheter", "catheter"),
        *("central venous catheter via jugular vein", "central venous catheter via subclavian vein"),
        *("central venous catheter via umbilical vein", "reservoir central venous catheter"),
        *("pacemaker", "dual chamber device", "single chamber device", "electrical device", "dai"),
        *("artificial heart valve", "artificial mitral heart valve", "artificial aortic heart valve"),
    ),
    "air trapping": ("air trapping",),
    "aortic atheromatosis": ("aortic atheromatosis",),
    "aortic elongation": ("aortic elongation",),
    "bronchiectasis": ("bronchiectasis",),
    "costophrenic angle blunting": ("costophrenic angle blunting",),
    "flattened diaphragm": ("flattened diaphragm",),
    "granuloma": ("granuloma", "calcified granuloma"),
    "hemidiaphragm elevation": ("hemidiaphragm elevation",),
    "hilar enlargement": ("hilar enlargement", "vascular hilar enlargement"),
    "kyphosis": ("kyphosis",),
    "scoliosis": ("scoliosis",),
}
_SAY_NOTHING = {"", "unchanged", "suboptimal study"}


def _tells(folder: Path) -> bool:
    image = "[0-9]" * 24 + "*_*.png"
    return has_table(folder, _TABLES, _COLUMNS) or any(find_files(folder, (image, f"0/{image}")))


def _cases(scan: Scan) -> Iterator[TableCase]:
    table = find_table(scan, _TABLES, _COLUMNS, _COPY)
    splits = read_lists(scan.folder)
    for line, row in read_csv(table, _COLUMNS):
        yield TableCase(
            image=row["imageid"],
            labels=_labels(f"{table}:{line}", row["labels"]),
            split="test" if splits is None else splits.get(key(row["imageid"]), UNLISTED),
            patient=row["patientid"] or None,
            text=row["report"] or None,
            view=view_of(row["projection"]),
        )


def _labels(where: str, cell: str) -> dict[str, int | None]:
    """Return the labels that a list such as ``['nodule', 'normal']`` says; a blank one says nothing."""
    try:
        names = [] if cell.lower() in ("", "nan", "none") else ast.literal_eval(cell)
        given = {" ".join(name.casefold().split()) for name in names} - _SAY_NOTHING
    except (SyntaxError, ValueError, TypeError, AttributeError, RecursionError, MemoryError):
        raise DataError(f"{where}: Labels should be a list such as ['nodule'], got {cell[:80]!r}") from None
    if not given or "exclude" in given:
        return dict.fromkeys(_NAMES)
    return {finding: int(not given.isdisjoint(names)) for finding, names in _NAMES.items()}


PADCHEST_INFO = DatasetInfo(
    name="padchest",
    categories=("frontal", "lateral", "other"),
    layout=ChestLayout(
        "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv with the columns ImageID, PatientID, "
        "Projection, Report and Labels, and images somewhere below; test_list.txt, where there is one, names "
        "the test images",
        _tells,
        _cases,
    ),
    has_masks=False,
    aliases=("bimcv_padchest",),
    findings=tuple(_NAMES),
    test_positives={160861: {}},
    has_reports=True,
    licence="research use agreement of BIMCV; see source",
    citation="Bustos et al., PadChest: A large chest x-ray image dataset with multi-label annotated reports, "
    "Medical Image Analysis 2020",
    source="https://bimcv.cipf.es/bimcv-projects/padchest/",
)

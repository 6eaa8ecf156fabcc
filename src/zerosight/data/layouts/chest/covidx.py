"""COVIDx CXR-2: train.txt and test.txt (patient, file, class, source) beside train/ and test/.

torchxrayvision has no class of this set. ``negative`` says only that there is no COVID-19; the older lists'
``normal`` and ``pneumonia`` say more, and are read as they say.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zerosight.data.chest.names import NO_FINDING
from zerosight.data.layouts.chest.layout import ChestLayout
from zerosight.data.layouts.chest.tables import find_files, read_lines
from zerosight.data.layouts.info import DatasetInfo, Scan, TableCase
from zerosight.errors import DataError

_LISTS = {
    "train": ("train.txt", "train_covidx*.txt"),
    "validation": ("val.txt", "val_covidx*.txt"),
    "test": ("test.txt", "test_covidx*.txt"),
}
_CLASSES: dict[str, dict[str, int | None]] = {
    "positive": {"covid-19": 1},
    "negative": {"covid-19": 0},
    "covid-19": {"covid-19": 1, "pneumonia": None, NO_FINDING: 0},
    "pneumonia": {"covid-19": 0, "pneumonia": 1, NO_FINDING: 0},
    "normal": {"covid-19": 0, "pneumonia": 0, NO_FINDING: 1},
}


def _tells(folder: Path) -> bool:
    for patterns in _LISTS.values():
        for path in find_files(folder, patterns):
            try:
                next(_read(path, "test"), None)
            except DataError:
                continue
            return True
    return False


def _cases(scan: Scan) -> Iterator[TableCase]:
    for split, patterns in _LISTS.items():
        for path in list(find_files(scan.folder, patterns))[:1]:
            yield from _read(path, split)


def _read(path: Path, split: str) -> Iterator[TableCase]:
    """Yield the cases of one list; a file's name may have blanks, the other fields have none."""
    folder = {"validation": "val"}.get(split, split)
    for number, line in read_lines(path):
        fields = line.split()
        kind = fields[-2].casefold() if len(fields) >= 4 else ""
        if kind not in _CLASSES:
            raise DataError(
                f"{path}:{number}: should be 'patient file class source' with a class of "
                f"{', '.join(_CLASSES)}, got {line[:80]!r}"
            )
        name = " ".join(fields[1:-2])
        yield TableCase(f"{folder}/{name}", _CLASSES[kind], split, patient=fields[0])


COVIDX_INFO = DatasetInfo(
    name="covidx_cxr2",
    categories=("frontal",),
    layout=ChestLayout(
        "train.txt and test.txt with lines 'patient file class source' beside train/ and test/",
        _tells,
        _cases,
    ),
    has_masks=False,
    aliases=("covidx", "covidx_cxr_2", "covidx_cxr"),
    findings=("covid-19",),
    test_positives={400: {"covid-19": 200}},
    licence="research only; the licences of its sources hold, see source",
    citation="Wang et al., COVID-Net: a tailored deep convolutional neural network design for detection of "
    "COVID-19 cases from chest X-ray images, Scientific Reports 2020",
    source="https://www.kaggle.com/datasets/andyczhao/covidx-cxr2",
)

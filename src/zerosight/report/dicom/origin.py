"""Origin: what a new DICOM object takes of the image that it is about.

A new object of a study has to carry the study's and the patient's attributes that the standard requires of
every object, equal to those of the original, else an archive files it elsewhere. Only these are read, and
they are held to the standard's lengths and forms; one that breaks them is left empty.

Source: DICOM PS3.3, C.7.1.1 (patient), C.7.2.1 (general study): attributes of types 1 and 2.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import UID, generate_uid
from pydicom.valuerep import DA, TM

from zerosight.data.limits import quiet
from zerosight.data.pixels import has_dicom_mark
from zerosight.errors import ImageReadError
from zerosight.guarded.dicom import read_elements

UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
"""Without these an image cannot be referred to."""
_FORMS = {
    "PatientName": r"[^\\\x00-\x1f]{0,194}",
    "PatientID": r"[^\\\x00-\x1f]{0,64}",
    "PatientBirthDate": r"(\d{8})?",
    "PatientSex": "[MFO]?",
    "StudyDate": r"(\d{8})?",
    "StudyTime": r"(\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?)?",
    "StudyID": r"[^\\\x00-\x1f]{0,16}",
    "AccessionNumber": r"[^\\\x00-\x1f]{0,16}",
    "ReferringPhysicianName": r"[^\\\x00-\x1f]{0,194}",
}
PATIENT = tuple(_FORMS)
"""What a new object says of patient and study beside UIDs: all that the standard requires, nothing else."""
_OTHER = ("SpecificCharacterSet", "PatientOrientation", "BurnedInAnnotation", "Rows", "Columns")
METHOD = "nothing copied from the original; UIDs replaced"
CHARACTERS = "ISO_IR 192"


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """An image that new objects refer to.

    Attributes:
        dataset: Its UIDs, what the standard requires of patient and study, and its size.
        shows_patient: Whether it says that its pixels show who it is of.
        orientation: Of its rows and columns towards the patient, such as ``("L", "F")``; None if not said.
        is_anonymous: Whether nothing of the patient is in ``dataset``.
    """

    dataset: Dataset
    shows_patient: bool
    orientation: tuple[str, str] | None = None
    is_anonymous: bool = False


def is_dicom(path: Path) -> bool:
    """Return whether a file has the mark of DICOM; one that is not there has none."""
    try:
        with path.open("rb") as file:
            return has_dicom_mark(file)
    except OSError:
        return False


def read_origin(path: Path) -> Origin | None:
    """Return what new objects take of a DICOM image; None where it lacks a UID and cannot be referred to.

    Raises:
        ImageReadError: The file is no DICOM file, or a damaged one.
    """
    if not is_dicom(path):
        raise ImageReadError(f"{path}: is no DICOM file; nothing in DICOM can refer to it")
    try:
        with quiet(), path.open("rb") as file:
            found = read_elements(file, (*UIDS, *PATIENT, *_OTHER), stop_before_pixels=True)
            return _origin(found)
    except ImageReadError as error:
        raise ImageReadError(f"{path}: {error}") from None
    except Exception as error:  # its text may quote the file, which may hold anything
        kind = type(error).__name__
        raise ImageReadError(f"{path}: is a damaged DICOM file ({kind}); export it again") from None


def _origin(found: FileDataset) -> Origin | None:
    """Return the attributes that keep to the standard, the others empty."""
    uids = {key: str(found.get(key, "")) for key in UIDS}
    if not all(value and UID(value).is_valid for value in uids.values()):
        return None
    kept = Dataset()
    kept.SpecificCharacterSet = CHARACTERS
    for key, value in uids.items():
        setattr(kept, key, value)
    for key, form in _FORMS.items():
        text = str(found.get(key) or "")
        setattr(kept, key, text if re.fullmatch(form, text) and _is_there(key, text) else "")
    kept.Rows, kept.Columns = int(found.Rows), int(found.Columns)
    ways = [str(way) for way in found.get("PatientOrientation") or ()]
    sound = len(ways) == 2 and all(re.fullmatch("[LRAPHF]", way) for way in ways)
    burnt = str(found.get("BurnedInAnnotation") or "").strip().upper() == "YES"
    return Origin(kept, burnt, (ways[0], ways[1]) if sound else None)


def _is_there(keyword: str, text: str) -> bool:
    """Return whether a date is one of the calendar, and a time one of the day; all else is."""
    kind = DA if keyword.endswith("Date") else TM if keyword.endswith("Time") else str
    try:
        kind(text)
    except ValueError:
        return False
    return True


class Pseudonyms:
    """Replaces UIDs, the same by the same, with no way back; another one replaces them by others."""

    def __init__(self) -> None:
        self._secret = secrets.token_hex(16)

    def apply(self, origin: Origin) -> Origin:
        """Return the origin without anything of the patient: UIDs replaced, all else empty."""
        bare = Dataset()
        bare.SpecificCharacterSet = CHARACTERS
        bare.SOPClassUID = origin.dataset.SOPClassUID
        bare.Rows, bare.Columns = origin.dataset.Rows, origin.dataset.Columns
        for key in UIDS[1:]:
            setattr(bare, key, generate_uid(entropy_srcs=[self._secret, str(origin.dataset[key].value)]))
        for key in PATIENT:
            setattr(bare, key, "")
        return Origin(bare, origin.shows_patient, origin.orientation, is_anonymous=True)

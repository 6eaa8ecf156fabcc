"""Secondary Captures: pictures of findings as DICOM images of the original's study.

Source: DICOM PS3.3, A.8.1 (Secondary Capture Image), C.8.6.1 (its equipment), C.7.6.1 (general image).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from highdicom.sc import SCImage
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

import zerosight
from zerosight.report.dicom.origin import CHARACTERS, METHOD, PATIENT, Origin

MANUFACTURER = "zerosight"
SERIES = 9901
DESCRIPTION = "zerosight findings, RESEARCH ONLY"


def capture(picture: Image.Image, origin: Origin, series: str, number: int, title: str) -> SCImage:
    """Return a picture as a Secondary Capture that refers to its original.

    Args:
        picture: In RGB, with its words in the pixels.
        origin: The image that it was made from.
        series: UID of the series that it joins.
        number: Its place there, from 1.
        title: What it shows, at most 64 characters.
    """
    source = origin.dataset
    about: dict[str, Any] = {_argument(key): str(source[key].value) or None for key in PATIENT}
    image = SCImage(
        np.asarray(picture),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=origin.orientation or ("L", "F"),
        study_instance_uid=source.StudyInstanceUID,
        series_instance_uid=series,
        series_number=SERIES,
        sop_instance_uid=generate_uid(),
        instance_number=number,
        manufacturer=MANUFACTURER,
        manufacturer_model_name="zerosight",
        software_versions=zerosight.__version__,
        series_description=DESCRIPTION,
        specific_character_set=CHARACTERS,
        **about,
    )
    if not origin.orientation:
        image.add_new("PatientOrientation", "CS", None)  # not known, which the standard lets it say
    image.BodyPartExamined = "CHEST"
    image.ImageComments = title
    image.DerivationDescription = "A map of a model's evidence laid over the image; words burnt in"
    image.SourceImageSequence = [_reference(source)]
    if origin.shows_patient:
        image.BurnedInAnnotation = "YES"
    mark_anonymous(image, origin)
    return image


def mark_anonymous(dataset: Dataset, origin: Origin) -> None:
    """Say in an object that nothing of the patient is in it, where that is so."""
    if origin.is_anonymous:
        dataset.PatientIdentityRemoved, dataset.DeidentificationMethod = "YES", METHOD


def _reference(source: Dataset) -> Dataset:
    """Return a reference to the original."""
    item, purpose = Dataset(), Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = source.SOPClassUID, source.SOPInstanceUID
    code = codes.DCM.SourceImageForImageProcessingOperation
    purpose.CodeValue, purpose.CodingSchemeDesignator = code.value, code.scheme_designator
    purpose.CodeMeaning = code.meaning
    item.PurposeOfReferenceCodeSequence = [purpose]
    return item


def _argument(keyword: str) -> str:
    """Return what highdicom calls an attribute.

    >>> _argument("PatientBirthDate"), _argument("StudyID")
    ('patient_birth_date', 'study_id')
    """
    words = "".join(f" {c}" if c.isupper() else c for c in keyword.replace("ID", "Id"))
    return "_".join(words.lower().split())

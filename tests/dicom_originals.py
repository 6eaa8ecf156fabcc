"""DICOM files of X-rays with a patient who should stay unknown, and what a model might find in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

from zerosight.types import FindingPrediction, FindingScore

PHOTO = Image.fromarray(np.random.default_rng(0).integers(40, 200, (60, 80)).astype(np.uint8)).convert("RGB")
GRID = np.zeros((60, 80), np.float32)
GRID[10:30, 20:50] = 0.9
GRID[40:50, 60:70] = 0.6


def original(path: Path, **elements: Any) -> Dataset:
    """Write an X-ray of a named patient and return it."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.StudyInstanceUID, data.SeriesInstanceUID = generate_uid(), generate_uid()
    data.SpecificCharacterSet, data.Modality = "ISO_IR 100", "DX"
    data.PatientName, data.PatientID, data.PatientBirthDate = "Müller^Jörg", "4711-secret", "19500101"
    data.PatientSex, data.StudyDate, data.StudyTime, data.StudyID = "M", "20200102", "101112", "S1"
    data.AccessionNumber, data.ReferringPhysicianName = "A1", "Doc^Tor"
    data.InstitutionName, data.PatientAddress, data.PatientAge = "Hospital X", "Secret Street 1", "070Y"
    data.PatientOrientation = ["L", "F"]
    data.Rows, data.Columns, data.SamplesPerPixel = 60, 80, 1
    data.PhotometricInterpretation, data.PixelRepresentation = "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 8, 8, 7
    data.PixelData = np.asarray(PHOTO.convert("L")).tobytes()
    for keyword, value in elements.items():
        setattr(data, keyword, value)
    data.save_as(path, enforce_file_format=True)
    return data


def found_in(path: Path, **changes: Any) -> FindingPrediction:
    findings = (
        FindingScore("Pleural effusion", 0.4, 0.75, 0.5),
        FindingScore("pneumonia", 0.3, 0.6, 0.5),
        FindingScore("a rare finding of a long name", 0.1, 0.2, 0.5),
    )
    values = {"maps": {"Pleural effusion": GRID, "pneumonia": GRID.T.copy().reshape(60, 80)}} | changes
    return FindingPrediction(str(path), findings, "pos-neg", "train-only", limitation="Drawn only.", **values)

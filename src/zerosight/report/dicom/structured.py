"""Structured Reports: findings with their thresholds and regions in a form that programs read.

    Imaging Measurement Report (TID 1500)
      device observer: zerosight, the model            procedure: plain radiography
      Imaging Measurements
        per finding, TID 1501: certainty in %, threshold in %, present or absent, model and settings
        per region of its map, TID 1410: outline on the original, highest value of the map in %
      Comment: the notice, the model's limitation, whether the image is like those of training

Of an image unlike those of training no finding is reported: one group says so.

Source: DICOM PS3.16, TID 1500, 1501, 1410, 1001, 4019. Findings without a code that we could check against
the dictionary of pydicom have one in a scheme of our own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np
from highdicom import sr
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from jaxtyping import Float, Float32
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid
from skimage.measure import approximate_polygon, find_contours

import zerosight
from zerosight.data.chest.names import NO_FINDING, canonical
from zerosight.report.dicom.capture import DESCRIPTION, MANUFACTURER, mark_anonymous
from zerosight.report.dicom.origin import CHARACTERS, Origin
from zerosight.report.dicom.picture import NOTICE
from zerosight.report.findings import UNFAMILIAR
from zerosight.types import MAP_THRESHOLD, FindingPrediction, FindingScore, map_name

SCHEME = "99ZEROSIGHT"
SERIES = 9902
MOST_REGIONS = 8
"""Regions per finding, the largest first."""
_SMALLEST = 0.001
"""Share of the image below which a region is no region."""
_CODES = {
    "cardiomegaly": codes.SCT.Cardiomegaly,
    "pleural effusion": codes.SCT.PleuralEffusion,
    "pneumothorax": codes.SCT.Pneumothorax,
    "edema": codes.SCT.PulmonaryEdema,
    "nodule": codes.SCT.Nodule,
    "mass": codes.SCT.Mass,
    "fibrosis": codes.SCT.Fibrosis,
}


def structured_report(
    result: FindingPrediction, origin: Origin, model: str, settings: Mapping[str, str]
) -> sr.ComprehensiveSR:
    """Return what was found in an image as a Structured Report that refers to it.

    Args:
        result: What was found.
        origin: The image.
        model: The model's name.
        settings: What the result depends on, such as the scoring mode, by name.
    """
    source = origin.dataset
    report = sr.MeasurementReport(
        observation_context=_observer(model),
        procedure_reported=codes.SCT.PlainRadiography,
        imaging_measurements=list(_groups(result, origin, model, settings)),
    )
    comment = partial(sr.TextContentItem, codes.DCM.Comment, relationship_type="CONTAINS")
    for text in _comments(result):
        report[0].ContentSequence.append(comment(text))
    document = sr.ComprehensiveSR(
        evidence=[source],
        content=report,
        series_instance_uid=generate_uid(),
        series_number=SERIES,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name="zerosight",
        software_versions=zerosight.__version__,
        series_description=DESCRIPTION,
        specific_character_set=CHARACTERS,
        is_complete=True,
        coding_schemes=[CodingSchemeIdentificationItem(SCHEME, name="zerosight: names of findings")],
    )
    mark_anonymous(document, origin)
    return document


def finding_code(name: str) -> sr.CodedConcept:
    """Return the code of a finding: SNOMED CT's where we have it, else one of our own.

    >>> finding_code("Effusion").scheme_designator, finding_code("pneumonia").value
    ('SCT', 'pneumonia')
    >>> len(finding_code("a finding with a very long name").value)
    16
    """
    known = _CODES.get(canonical(name))
    return sr.CodedConcept.from_code(known) if known else _own(canonical(name))


def outlines(
    values: Float32[np.ndarray, "height width"], scale: tuple[float, float] = (1.0, 1.0)
) -> list[tuple[Float[np.ndarray, "points 2"], float]]:
    """Return closed outlines of where a map reaches its threshold, the largest first, and the peak in each.

    Args:
        values: A map in [0, 1].
        scale: Columns and rows of the original per column and row of the map.

    Returns:
        Points (column, row), the first again as the last; 0 is the outer edge of the first pixel.
    """
    padded = np.pad(values, 1)
    found = []
    for line in find_contours(padded, MAP_THRESHOLD):
        points = approximate_polygon(line, tolerance=max(0.5, max(values.shape) / 400))[:, ::-1] - 0.5
        x, y = points.T
        area = 0.5 * float(np.dot(x[:-1], y[1:]) - np.dot(x[1:], y[:-1]))
        left, top = np.floor(points.min(0)).astype(int).clip(0)
        right, bottom = np.ceil(points.max(0)).astype(int)
        inside = values[top:bottom, left:right]
        if abs(area) >= _SMALLEST * values.size and inside.size and len(points) > 3:
            limits = (values.shape[1], values.shape[0])
            found.append((abs(area), points.clip(0, limits) * scale, float(inside.max())))
    return [(points, peak) for _, points, peak in sorted(found, key=lambda one: -one[0])[:MOST_REGIONS]]


def _groups(
    result: FindingPrediction, origin: Origin, model: str, settings: Mapping[str, str]
) -> Iterator[sr.MeasurementsAndQualitativeEvaluations | sr.PlanarROIMeasurementsAndQualitativeEvaluations]:
    """Yield what is measured: per finding, and per region of its map."""
    algorithm = sr.AlgorithmIdentification(
        model, zerosight.__version__, [f"{key}={value}" for key, value in settings.items()]
    )
    image = (origin.dataset.SOPClassUID, origin.dataset.SOPInstanceUID)
    where = sr.SourceImageForMeasurementGroup(*image)
    if result.is_familiar is False:
        unlike = sr.QualitativeEvaluation(_own("likeness", "Likeness to images of training"), _own("unlike"))
        track = sr.TrackingIdentifier(generate_uid(), "image")
        yield sr.MeasurementsAndQualitativeEvaluations(
            track, algorithm_id=algorithm, qualitative_evaluations=[unlike], source_images=[where]
        )
        return
    for one in result.findings:
        yield sr.MeasurementsAndQualitativeEvaluations(
            sr.TrackingIdentifier(generate_uid(), one.name[:64]),
            finding_type=finding_code(one.name),
            algorithm_id=algorithm,
            measurements=_numbers(one),
            qualitative_evaluations=[_verdict(one)],
            source_images=[where],
        )
        yield from _regions(result, one, origin)


def _regions(
    result: FindingPrediction, one: FindingScore, origin: Origin
) -> Iterator[sr.PlanarROIMeasurementsAndQualitativeEvaluations]:
    """Yield the regions of a finding's map, if it has one."""
    values = result.maps.get(map_name(one.name))
    if values is None or not one.is_present or canonical(one.name) == NO_FINDING:
        return
    source = origin.dataset
    scale = (source.Columns / values.shape[1], source.Rows / values.shape[0])
    image = sr.SourceImageForRegion(source.SOPClassUID, source.SOPInstanceUID)
    for number, (points, peak) in enumerate(outlines(values, scale), start=1):
        yield sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            sr.TrackingIdentifier(generate_uid(), f"{one.name[:48]}, region {number}"),
            referenced_region=sr.ImageRegion(sr.GraphicTypeValues.POLYLINE, points, image),
            finding_type=finding_code(one.name),
            measurements=[_percent(_own("map peak", "Highest value of the map in the region"), peak)],
        )


def _numbers(one: FindingScore) -> Sequence[sr.Measurement]:
    threshold = _own("threshold", "Probability from which on the finding counts as present")
    return [_percent(codes.DCM.CertaintyOfFinding, one.probability), _percent(threshold, one.threshold)]


def _percent(name: Code | sr.CodedConcept, value: float) -> sr.Measurement:
    return sr.Measurement(name, round(100 * value, 2), codes.UCUM.Percent)


def _verdict(one: FindingScore) -> sr.QualitativeEvaluation:
    name = _own("verdict", "Whether the finding's probability reaches its threshold")
    return sr.QualitativeEvaluation(name, codes.SCT.Present if one.is_present else codes.SCT.Absent)


def _observer(model: str) -> sr.ObservationContext:
    """Return who observed: this program with this model; its UID is that of the two names."""
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=generate_uid(entropy_srcs=["zerosight", zerosight.__version__, model]),
        name="zerosight (research use only)",
        manufacturer_name=MANUFACTURER,
        model_name=f"{model[:48]} {zerosight.__version__}",
    )
    return sr.ObservationContext(observer_device_context=sr.ObserverContext(codes.DCM.Device, device))


def _comments(result: FindingPrediction) -> Iterator[str]:
    """Yield what no code says."""
    yield NOTICE
    if result.limitation:
        yield f"Limitation: {result.limitation}"
    if result.is_familiar is False:
        yield f"The image is {UNFAMILIAR}: no finding is reported."


def _own(value: str, meaning: str = "") -> sr.CodedConcept:
    """Return a concept of our own scheme; a long name is shortened and told from others by a hash."""
    plain = re.sub(r"[^ -\[\]-~]", "?", value)
    if len(plain) > 16 or plain != value:
        plain = f"{plain[:9].strip()}-{hashlib.sha256(value.encode(errors='replace')).hexdigest()[:6]}"
    return sr.CodedConcept(plain, SCHEME, (meaning or value)[:64])

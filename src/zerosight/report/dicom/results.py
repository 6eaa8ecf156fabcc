"""DICOM results of images: which objects there are, and why there are none of an image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from zerosight.data.chest.names import NO_FINDING
from zerosight.errors import ConfigError, ImageReadError, MissingExtraError, did_you_mean
from zerosight.report.dicom.origin import Origin, Pseudonyms, is_dicom, read_origin
from zerosight.report.findings import MOST_MAPS
from zerosight.types import FindingPrediction, map_name

DicomKind = Literal["sc", "sr"]
KINDS: tuple[DicomKind, ...] = ("sc", "sr")


@dataclass(frozen=True, slots=True, eq=False)
class DicomFile:
    """A DICOM object that is saved as pictures are.

    Attributes:
        dataset: The object, with its file meta information.
    """

    dataset: Dataset

    def save(self, path: Path, **_: Any) -> None:
        """Write it; what says how to code pictures is of no use."""
        self.dataset.save_as(path, enforce_file_format=True)


class DicomResults:
    """Makes DICOM objects of findings; tells how many images got none, and why.

    Args:
        kinds: Which: ``sc``, Secondary Captures with the maps, and ``sr``, a Structured Report.
        model: The model's name.
        settings: What results depend on, by name, for the report.
        deidentify: Whether nothing of the patient is copied and UIDs are replaced.

    Attributes:
        left_out: Number of images without objects, by reason.

    Raises:
        MissingExtraError: highdicom is not installed.
    """

    def __init__(
        self, kinds: tuple[DicomKind, ...], model: str, settings: Mapping[str, str], deidentify: bool = False
    ) -> None:
        try:
            import highdicom  # noqa: F401
        except ImportError:
            raise MissingExtraError("--dicom needs highdicom; run: pip install 'zerosight[dicom]'") from None
        self.kinds, self.model, self.settings = kinds, model, dict(settings)
        self.left_out: Counter[str] = Counter()
        self._pseudonyms = Pseudonyms() if deidentify else None
        self._lock = Lock()

    def files(self, result: FindingPrediction, photo: Image.Image) -> dict[str, DicomFile]:
        """Return the objects of an image by what they are called among its files; threads take turns.

        Args:
            result: What was found.
            photo: The image in RGB, at its own size.
        """
        with self._lock:
            return self._files(result, photo)

    def _files(self, result: FindingPrediction, photo: Image.Image) -> dict[str, DicomFile]:
        origin = self._origin(Path(result.source))
        if origin is None:
            return {}
        found: dict[str, DicomFile] = {}
        if "sc" in self.kinds:
            if origin.is_anonymous and origin.shows_patient:
                self.left_out["whose pixels show the patient (no picture of them)"] += 1
            else:
                found.update(self._captures(result, photo, origin))
        if "sr" in self.kinds:
            from zerosight.report.dicom.structured import structured_report

            settings = {"scoring": result.mode, "anchors": result.provenance} | self.settings
            found["dicom sr"] = DicomFile(structured_report(result, origin, self.model, settings))
        return found

    def _origin(self, path: Path) -> Origin | None:
        """Return what objects take of the original; None where none can refer to it."""
        if not is_dicom(path):
            self.left_out["that are no DICOM files"] += 1
            return None
        try:
            origin = read_origin(path)
        except ImageReadError:
            origin = None
        if origin is None:
            self.left_out["without the UIDs of a study"] += 1
            return None
        return self._pseudonyms.apply(origin) if self._pseudonyms else origin

    def _captures(
        self, result: FindingPrediction, photo: Image.Image, origin: Origin
    ) -> Iterator[tuple[str, DicomFile]]:
        """Yield a picture per finding with a map, or one without any."""
        from zerosight.report.dicom.capture import capture
        from zerosight.report.dicom.picture import draw_capture

        names = [one.name for one in result.findings if one.name != NO_FINDING and one.is_present]
        mapped = [name for name in names if map_name(name) in result.maps and result.is_familiar is not False]
        series = generate_uid()
        for number, name in enumerate(mapped[:MOST_MAPS] or [""], start=1):
            picture = draw_capture(result, photo, self.model, name)
            title = f"{name or 'findings'}, research use only"[:64]
            yield f"dicom sc {number}", DicomFile(capture(picture, origin, series, number, title))


def dicom_kinds(text: str) -> tuple[DicomKind, ...]:
    """Return the kinds of objects that a list joined by commas names.

    Raises:
        ConfigError: It names none, or one that is not known.

    >>> dicom_kinds("sr, sc")
    ('sc', 'sr')
    """
    asked = [word.strip().lower() for word in text.split(",") if word.strip()]
    for word in asked:
        if word not in KINDS:
            hint = did_you_mean(word, KINDS)
            raise ConfigError(f"--dicom: '{word[:20]}' is not known{hint}; say sc, sr or sc,sr")
    if not asked:
        raise ConfigError("--dicom: names nothing; say sc, sr or sc,sr")
    return tuple(kind for kind in KINDS if kind in asked)

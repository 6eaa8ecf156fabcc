"""Studies to train on: what manifests say of each image, and which of them are of no use and why."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zerosight.data.chest.extract import NO_DISEASE, extract_labels
from zerosight.data.chest.findings import NO_FINDING, canonical
from zerosight.data.chest.reports import MAX_CHARACTERS, clean_report
from zerosight.data.manifest import read_manifest, select
from zerosight.data.rows import Record
from zerosight.errors import DataError
from zerosight.train.radz.config import RadzTrainConfig

Labels = Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Study:
    """One image with what is known of it.

    Attributes:
        image: Its file.
        patient: Who must not be on both sides of a split: data set and group, or the image without a group.
        report: Cleaned report; empty if there is none, or none to be used.
        labels: Canonical findings: 1 present, 0 absent, None not known.
    """

    image: Path
    patient: str
    report: str
    labels: Labels

    @property
    def diseases(self) -> frozenset[str]:
        """The categories the study belongs to; a study without any is "no finding" only if that is said."""
        return frozenset(name for name, value in self.labels.items() if value == 1)

    @property
    def known(self) -> frozenset[str]:
        """The findings known to be there or not, which a sentence could say."""
        return frozenset(name for name, value in self.labels.items() if value is not None)

    @property
    def contradicts_itself(self) -> bool:
        """Whether it is without a finding and has one."""
        return NO_FINDING in self.diseases and not self.diseases <= frozenset(NO_DISEASE)


def read_studies(
    config: RadzTrainConfig, splits: tuple[str, ...], skipped: Counter[str] | None = None
) -> list[Study]:
    """Return the studies of some splits.

    Args:
        config: The manifests, and what is taken from their rows.
        splits: Names of splits.
        skipped: Told why studies are left out that no text can be paired with, which are then left out
            (our default); None keeps every image, as held-out ones need no text.

    Raises:
        DataError: A manifest is bad, or images are missing.
    """
    studies = []
    for path in config.data:
        manifest = read_manifest(path)
        for record in select(manifest.records(), splits):
            image = manifest.resolve(record.image)
            patient = f"{manifest.header.name}/{record.group}" if record.group else str(image.resolve())
            study, problem = _study(record, image, patient, config)
            if skipped is not None and problem:
                skipped[problem] += 1
            else:
                studies.append(study)
    missing = [study.image for study in studies if not study.image.is_file()]
    if missing:
        raise DataError(f"{missing[0]}: is missing ({len(missing)} of {len(studies)} images are)")
    return studies


def draw(studies: list[Study], limit: int | None, seed: int) -> list[Study]:
    """Return at most so many of the studies, drawn by seed."""
    if limit is None or limit >= len(studies):
        return studies
    return random.Random(seed).sample(studies, limit)


def categories(studies: list[Study]) -> tuple[str, ...]:
    """Return the findings that some study has, by name."""
    return tuple(sorted({name for study in studies for name in study.diseases}))


def check_patients(train: list[Study], held_out: list[Study]) -> None:
    """Refuse patients on both sides; how many are named, not who.

    Raises:
        DataError: There are any.
    """
    shared = {study.patient for study in train} & {study.patient for study in held_out}
    if shared:
        raise DataError(
            f"{len(shared)} of the held-out patients {'is' if len(shared) == 1 else 'are'} in the training "
            "data too; divide by patient: zerosight data split MANIFEST train=0.8 val=0.2 -o NEW"
        )


def _study(record: Record, image: Path, patient: str, config: RadzTrainConfig) -> tuple[Study, str]:
    """Return the study, and why no text can be paired with it; that is empty if one can."""
    report, problem = _report(record.text)
    labels: dict[str, int | None] = {}
    if config.labels != "report":
        labels = {canonical(name): value for name, value in record.labels.items()}
    if config.labels == "report" or (config.labels == "both" and not labels):
        labels = extract_labels(report)
    study = Study(image, patient, "" if config.text == "labels" else report, labels)
    if study.contradicts_itself:
        return study, f"'{NO_FINDING}' beside a finding"
    if study.report or (study.known and config.text != "report"):
        return study, ""
    return study, problem if config.text != "labels" else "no label"


def _report(text: str | None) -> tuple[str, str]:
    """Return the cleaned report, or an empty one and what is wrong with it."""
    if text is None:
        return "", "no report"
    report = clean_report(text)
    if report.cut:
        return "", f"report of more than {MAX_CHARACTERS} characters"
    if not report.text:
        return "", "empty report"
    return (report.text, "") if report.english else ("", "report not in English")

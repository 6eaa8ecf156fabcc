"""The part of ``zerosight calibrate`` that fits models of findings to labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zerosight.cli.console import messages, print_json, progress
from zerosight.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zerosight.models.llava_radz.calibration import FindingCalibration


def calibrate_findings(
    paths: list[str], rows: dict[str, Any], which: tuple[str, str], out: Path, as_json: bool
) -> None:
    """Fit the probabilities and thresholds of a model of findings.

    Args:
        paths: One data set, LAYOUT:ROOT or a manifest.
        rows: Which of its rows and labels, as settings.
        which: The model and the device.
        out: The model folder to write.
        as_json: Print JSON.

    Raises:
        ConfigError: More than one data set is named.
    """
    import zerosight
    from zerosight.data.layouts import open_dataset
    from zerosight.finding_evaluation import RowsConfig, calibrate_model
    from zerosight.models.llava_radz.folder import copy_radz

    if len(paths) != 1:
        raise ConfigError(f"{len(paths)} data sets are named; calibrate on one, LAYOUT:ROOT or a manifest")
    dataset = open_dataset(paths[0])
    predictor = zerosight.load_findings(*which)
    with progress("images", quiet=as_json) as bar:
        task = bar.add_task("scoring", total=None)
        found, left_out = calibrate_model(
            predictor,
            dataset,
            RowsConfig.load(None, **rows),
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    copy_radz(which[0], predictor.card.model_copy(update={"name": out.name, "calibration": found}), out)
    if as_json:
        print_json(found.model_dump(mode="json") | {"left_out": left_out})
        return
    _tell(found, left_out)
    messages.print(f"next: zerosight predict IMAGES --model {out}", soft_wrap=True)


def _tell(found: FindingCalibration, left_out: Mapping[str, int]) -> None:
    """Print what was fitted, a line per finding."""
    messages.print(f"mode {found.mode}, temperature {found.temperature:.3g}: {found.source}", markup=False)
    for name, scale in found.findings.items():
        said = scale.reason or f"slope {scale.slope:.3g}, offset {scale.offset:.3g}"
        counts = f"{scale.positives} present, {scale.negatives} absent"
        messages.print(f"{name}: threshold {scale.threshold:.4f} ({counts}; {said})", markup=False)
    for reason, count in left_out.items():
        messages.print(f"left out, {reason}: {count}", markup=False)

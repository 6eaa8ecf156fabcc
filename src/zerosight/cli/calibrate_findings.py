"""The part of ``zerosight calibrate`` that fits models of findings to labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zerosight.cli.console import messages, print_json, progress, refuse
from zerosight.errors import ConfigError

if TYPE_CHECKING:
    from zerosight.cli.calibrate import CalibrateOptions
    from zerosight.models.llava_radz.calibration import FindingCalibration
    from zerosight.models.llava_radz.card import MapRecord


def calibrate_findings(options: CalibrateOptions) -> None:
    """Fit the probabilities and thresholds of a model of findings to labelled images.

    Raises:
        ConfigError: More than one data set is named, or an option means nothing to such a model.
    """
    from zerosight.evaluate.door import calibrate_findings as calibrate

    refuse(
        "a model of findings",
        false_alarms=options.false_alarms,
        tile=options.tile,
        overlap=options.overlap,
        precision=None if options.precision == "exact" else options.precision,
    )
    paths, out = options.paths, options.out
    if len(paths) != 1:
        raise ConfigError(f"{len(paths)} data sets are named; calibrate on one, LAYOUT:ROOT or a manifest")
    with progress("images", quiet=options.as_json) as bar:
        task = bar.add_task("scoring", total=None)
        card, left_out = calibrate(
            paths[0],
            out,
            options.model,
            device=options.device,
            only_maps=options.only_maps,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
            **options.rows,
        )
    found, maps = card.calibration, card.maps
    if options.as_json:
        values = {} if options.only_maps else found.model_dump(mode="json")
        print_json(values | {"maps": maps.model_dump(mode="json"), "left_out": left_out})
        return
    if not options.only_maps:
        _tell(found)
    _tell_maps(maps)
    for reason, count in left_out.items():
        messages.print(f"left out, {reason}: {count}", markup=False)
    messages.print(f"next: zerosight predict IMAGES --model {out}", soft_wrap=True)


def _tell(found: FindingCalibration) -> None:
    """Print what was fitted, a line per finding."""
    messages.print(f"mode {found.mode}, temperature {found.temperature:.3g}: {found.source}", markup=False)
    for name, scale in found.findings.items():
        said = scale.reason or f"slope {scale.slope:.3g}, offset {scale.offset:.3g}"
        counts = f"{scale.positives} present, {scale.negatives} absent"
        messages.print(f"{name}: threshold {scale.threshold:.4f} ({counts}; {said})", markup=False)


def _tell_maps(maps: MapRecord) -> None:
    """Print how the model's maps fared, a line per finding."""
    messages.print(f"maps: {maps.note}", markup=False)
    for name, one in maps.findings.items():
        held = f"{one.auroc:.3f} against {one.prior:.3f}"
        if one.in_lungs is not None and one.prior_in_lungs is not None:
            held += f", in the lungs {one.in_lungs:.3f} against {one.prior_in_lungs:.3f}"
        shown = "shown" if one.is_better else "hidden"
        messages.print(f"{name}: {shown} ({one.maps} maps; pixel AUROC {held})", markup=False)

"""The part of ``zerosight calibrate`` that sets thresholds of models of anomalies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zerosight.cli.console import messages, print_json, progress, refuse

if TYPE_CHECKING:
    from zerosight.cli.calibrate import CalibrateOptions

FEW = 20


def calibrate_anomalies(options: CalibrateOptions) -> None:
    """Choose thresholds that few normal images reach.

    Raises:
        ConfigError: An option means nothing to such a model.
        DataError: There is no image to learn from.
    """
    from zerosight.evaluate.door import FALSE_ALARMS, OVERLAP, calibrate

    rows, out = options.rows, options.out
    refuse(
        "a model of anomalies",
        split=rows["splits"],
        **{key: rows[key] for key in ("labels", "views", "mode")},
        only_maps=options.only_maps or None,
    )
    if options.tile is None:
        refuse("images that are not cut into tiles (--tile)", overlap=options.overlap)
    images = 0
    with progress("images", quiet=options.as_json) as bar:
        task = bar.add_task("scoring", total=None)

        def count(done: int, total: int) -> None:
            nonlocal images
            images = total
            bar.update(task, completed=done, total=total)

        card = calibrate(
            options.paths,
            out,
            options.model,
            false_alarms=FALSE_ALARMS if options.false_alarms is None else options.false_alarms,
            overwrite=options.overwrite,
            progress=count,
            device=options.device,
            precision=options.precision,
            tile=options.tile,
            overlap=OVERLAP if options.overlap is None else options.overlap,
        )
    if options.as_json:
        print_json(card.thresholds.model_dump())
        return
    chosen = card.thresholds
    messages.print(f"image threshold {chosen.image:.4f}, pixel threshold {chosen.pixel:.4f}: {chosen.source}")
    if images < FEW:
        messages.print(
            f"note: {images} images are few; with fewer than {FEW} the rate of false alarms varies much"
        )
    messages.print(f"next: zerosight predict PHOTOS --model {out}", soft_wrap=True)

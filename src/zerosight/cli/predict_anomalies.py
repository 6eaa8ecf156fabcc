"""The part of ``zerosight predict`` that finds anomalies."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from zerosight.cli.console import messages, print_json, progress, refuse
from zerosight.cli.predict_scale import predict_on
from zerosight.errors import ConfigError
from zerosight.runtimes.load import is_exported
from zerosight.types import UNLIKE, Failure, Prediction

if TYPE_CHECKING:
    from zerosight.cli.predict_options import PredictOptions
    from zerosight.predict.anomalies import Predictor
    from zerosight.predict.counterparts import Counterparts
    from zerosight.predict.reading import Scored
    from zerosight.report.writer import Beside, ResultWriter
    from zerosight.scale.work import AnomalyJob


def predict_anomalies(options: PredictOptions) -> None:
    """Score images for anomalies and write results.

    Raises:
        ConfigError: An option means nothing to such a model, or without another one.
    """
    _check(options)
    if options.on:
        return predict_on(options, lambda device: _job(options, device))
    from zerosight.data.find import find_images

    own, out = options.anomalies, options.out
    named, normals = options.named(), list(find_images(own.normals))
    if out:
        from zerosight.journal import ResumePolicy
        from zerosight.report.writer import FILES

        ResumePolicy(out, options.resume, options.overwrite).check(FILES)
    predictor = _predictor(options, named, normals)
    shown = _counterparts(predictor, options)
    writer = _writer(options, predictor) if out else None
    images, total = options.todo(writer.is_done if writer else lambda _: False, named)
    if isinstance(images, list) and (overlap := _among_normals(predictor, images)):
        _note(overlap)
    counts = {"scored": 0, "anomalous": 0, "strange": 0, "failed": 0}
    with writer or nullcontext(), progress("images", quiet=options.as_json) as bar:
        options.begin()
        task = bar.add_task("scoring", total=total)
        thresholds = {"threshold": options.threshold, "pixel_threshold": own.pixel_threshold}
        found = predictor.stream(images, on_error=options.on_error, **thresholds)
        results = _written(found, writer, options, shown)
        _annotate(_told(results, options, counts, lambda: options.advance(bar, task)), options)
    if out and options.report:
        write_page(out, predictor, "Anomaly report", options.sent_pictures())
    if not options.as_json:
        _summarise(counts, len(writer.done) if writer else 0, options)
    if counts["failed"] and not counts["scored"]:
        raise typer.Exit(1)
    return None


def _job(options: PredictOptions, device: str) -> AnomalyJob:
    """Return what a cluster is asked."""
    from zerosight.scale.work import AnomalyJob

    own = options.anomalies
    return AnomalyJob(
        options.model,
        device,
        options.batch_size,
        threshold=options.threshold,
        pixel_threshold=own.pixel_threshold,
        precision=own.precision or "exact",
        tile=own.tile,
        overlap=own.overlap,
    )


def _check(options: PredictOptions) -> None:
    """Refuse options that would change nothing.

    Raises:
        ConfigError: One was given.
    """
    from zerosight.backbones.config import is_tower

    own, findings = options.anomalies, options.findings
    refuse(
        "a model of anomalies",
        labels=findings.labels,
        descriptions=findings.descriptions,
        mode=findings.mode,
        write_descriptions=findings.write or None,
        no_maps=None if findings.maps else True,
        map=findings.map,
        all_maps=findings.all_maps or None,
        dicom=findings.dicom,
        deidentify=findings.deidentify or None,
    )
    if is_tower(options.model) and not own.normals:
        from zerosight.models.references.card import refuse_zero_shot

        refuse_zero_shot(options.model)
    if own.tile is None:
        refuse("images that are not cut into tiles (--tile)", overlap=own.overlap)
    if own.alpha is not None and not own.normals:
        raise ConfigError("--alpha: is for --normals; without them use --threshold, or zerosight calibrate")
    if own.augment is not None and not own.normals:
        raise ConfigError("--augment: is for --normals; name good images, or leave it out")
    if own.batch_reference:
        _check_batch(options)
    if own.graph:
        needing = next((f"--{name}" for name in own.needs_torch()), None) or (options.on and "--on")
        if needing:
            raise ConfigError(f"--runtime {own.graph}: does not go with {needing}; leave one of them out")
    if options.out is None:
        refuse("--json without --out", **own.saved())
    if not options.report:
        none = "--no-report, which draws no heatmaps"
        refuse(none, colour_bar=own.colour_bar or None, pictures=own.pictures)
    if own.pictures in ("previews", "none"):
        refuse(f"--pictures {own.pictures}", colour_bar=own.colour_bar or None)
    if options.out is None or not options.report:
        refuse("a run without a report", normals_folder=own.normals_folder)
    if options.resume and not options.overwrite:
        refuse("--resume, as annotations are of all images", annotations=own.annotations)


def _check_batch(options: PredictOptions) -> None:
    """Refuse what does not go with images that are judged by each other.

    Raises:
        ConfigError: Normal images or tiles are asked for, too, or the images are listed on standard input.
    """
    for name, value in (("normals", options.anomalies.normals), ("tile", options.anomalies.tile is not None)):
        if value:
            raise ConfigError(f"--batch-reference: leaves no room for --{name}; leave one of them out")
    if "-" in options.paths:
        raise ConfigError("--batch-reference: looks at the images twice; name them instead of -")


def _predictor(
    options: PredictOptions, images: list[Path | str] | None, normals: list[Path | str]
) -> Predictor:
    """Return the model, with what is to be compared with and how images are cut."""
    own = options.anomalies
    precision = own.precision or "exact"
    if own.needs_torch():
        from zerosight.predict.anomalies import load

        predictor = load(options.model, options.device, options.batch_size, precision, own.compile)
    else:
        from zerosight.export.prepared import load_on

        model, batch = options.model, options.batch_size
        predictor = load_on(own.runtime, model, options.device, batch, precision, tell=_note)
    if normals:
        predictor = _with_normals(predictor, normals, options)
    if own.batch_reference:
        predictor = _with_batch(predictor, options.images() if images is None else images)
    if own.tile is not None:
        given = {} if own.overlap is None else {"overlap": own.overlap}
        predictor = predictor.tiled(own.tile or None, **given)
    if predictor.card.familiarity and not predictor.tells_unfamiliar:
        _note("unfamiliar images are not marked: that takes whole images, and PyTorch (--runtime torch)")
    return predictor


def _note(line: str) -> None:
    messages.print(f"note: {line}", markup=False, soft_wrap=True)


def _writer(options: PredictOptions, predictor: Predictor) -> ResultWriter:
    """Return the folder of results, open, with what its results depend on."""
    from zerosight.report.formats import AnomalyFormat
    from zerosight.report.writer import ResultWriter

    own = options.anomalies
    assert options.out is not None
    chosen = predictor.thresholds(options.threshold, own.pixel_threshold)
    settings = predictor.identity() | {"threshold": chosen.image, "pixel_threshold": chosen.pixel}
    settings["precision"] = own.precision or "exact"
    if predictor.tiling is not None:
        settings |= {"tile": own.tile, "overlap": predictor.tiling.overlap}  # as they were asked for
    seen = (own.pictures or "all") if options.report else "none"
    layout = AnomalyFormat(seen, own.colour_bar, own.masks, own.numbers)
    return ResultWriter(
        options.out,
        store=options.store,
        resume=options.resume,
        overwrite=options.overwrite,
        settings=settings | layout.asked_for(),
        format=layout,
        parquet=options.parquet,
    )


def _with_normals(predictor: Predictor, normals: list[Path | str], options: PredictOptions) -> Predictor:
    """Return a predictor that knows the normal images, after saying what is to be known of them."""
    from zerosight.predict.references import with_normals

    own = options.anomalies
    learned = with_normals(predictor, normals, own.alpha, None, own.augment)
    for line in learned.warnings:
        _note(line)
    return learned.predictor


def _among_normals(predictor: Predictor, images: list[Path | str]) -> str | None:
    """Return what is to be known of images that are normal ones as well, if any are."""
    if predictor.card.architecture != "references":
        return None
    from zerosight.predict.references import among_normals

    return among_normals(predictor.card, [image for image in images if isinstance(image, Path)])


def _with_batch(predictor: Predictor, images: Iterable[Path | str]) -> Predictor:
    """Return a predictor that judges the images by each other, after saying what speaks against it."""
    from zerosight.predict.batch import with_batch

    learned = with_batch(predictor, images)
    _note("transductive: every score depends on the other images of the batch")
    for line in learned.warnings:
        _note(line)
    return learned.predictor


def _counterparts(predictor: Predictor, options: PredictOptions) -> Counterparts | None:
    """Return what finds the normal patches that regions are shown beside, where normal images are at hand.

    Raises:
        ConfigError: A folder of them is named without effect: it or the model has none.
    """
    folder = options.anomalies.normals_folder
    if options.out is None or not options.report:
        return None
    from zerosight.models.references.card import ReferencesCard

    card = predictor.card
    searches = isinstance(card, ReferencesCard) and "nearest" in card.estimators
    if predictor.tiling is not None or not searches:
        refuse("a model without normal patches, or with --tile", normals_folder=folder)
        return None
    if is_exported(options.model):
        refuse("an exported file", normals_folder=folder)
        return None
    from zerosight.predict.counterparts import Counterparts

    found = Counterparts(predictor, [] if folder is None else [folder])
    if folder is not None and not found.at_hand:
        raise ConfigError(f"--normals-folder: none of the images in {folder} is one that was fitted")
    return found


def beside_of(scored: Scored[Prediction], shown: Counterparts | None) -> Beside | None:
    """Return the picture of a region and its nearest normal patch, if there is one to be shown."""
    from zerosight.report.heatmap import side_by_side
    from zerosight.report.writer import Beside

    if shown is None or scored.image is None or isinstance(scored.result, Failure):
        return None
    found = shown.of(scored.result, scored.image)
    if found is None:
        return None
    facts = {"source": found.source, "box": list(found.box), "region": list(found.region)}
    return Beside("normal", side_by_side(*found.crops(scored.image)), facts)


def _written(
    found: Iterable[Scored[Prediction]],
    writer: ResultWriter | None,
    options: PredictOptions,
    shown: Counterparts | None,
) -> Iterator[Prediction | Failure]:
    """Yield every result after it was written, if it is to be."""
    if writer is None:
        return (scored.result for scored in found)
    own = options.anomalies
    pictured = options.report or own.masks or own.numbers is not None
    return writer.written(found, pictured, lambda scored: beside_of(scored, shown))


def _told(
    found: Iterable[Prediction | Failure], options: PredictOptions, counts: dict[str, int], advance: Any
) -> Iterator[Prediction | Failure]:
    """Yield every result after it was told and counted."""
    for result in found:
        if options.as_json:
            print_json(result.to_dict())
        if isinstance(result, Failure):
            counts["failed"] += 1
            if not options.as_json:
                messages.print(f"skipped: {result.error}", markup=False)
        else:
            counts["scored"] += 1
            if result.is_familiar is False:
                counts["strange"] += 1
            else:
                counts["anomalous"] += result.is_anomalous
        advance()
        yield result
        del result  # or it would be held while the next one is made


def _annotate(found: Iterator[Prediction | Failure], options: PredictOptions) -> None:
    """Take every result, and write the regions as annotations where that is asked for, keeping no map."""
    kind, out = options.anomalies.annotations, options.out
    if kind is None or out is None:
        deque(found, maxlen=0)
        return
    from zerosight.integrations import labels

    folder = out / "annotations"
    if kind == "coco":
        labels.write_coco(found, folder / "coco.json")
    elif kind == "yolo":
        labels.write_yolo(found, folder / "yolo")
    elif kind == "label-studio":
        labels.write_label_studio(found, folder / "tasks.json")
    else:
        labels.write_fiftyone(found, folder / "fiftyone")
    if not options.as_json:
        messages.print(f"annotations: {options.shown('annotations')}", soft_wrap=True, markup=False)


def write_page(out: Path, predictor: Predictor, title: str, pictures: str | None = None) -> Path:
    """Write report.html for a folder of results and return its path."""
    from zerosight.report.html import write_report

    card = predictor.card
    model = {
        "name": card.name,
        "backbone": card.foundation,
        "image threshold": card.thresholds.image,
        "pixel threshold": card.thresholds.pixel,
        "thresholds chosen on": card.thresholds.source,
    }
    created = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    return write_report(out, title, model, created, notice=card.intended_use, pictures=pictures)


def _summarise(counts: dict[str, int], total: int, options: PredictOptions) -> None:
    parts = [f"{counts['scored']} images scored", f"{counts['anomalous']} anomalous"]
    if counts["failed"]:
        parts.append(f"{counts['failed']} could not be read")
    if total > counts["scored"]:
        parts.append(f"{total} in all with what was there")
    messages.print(", ".join(parts))
    if counts["strange"]:
        messages.print(
            f"{counts['strange']} of {counts['scored']} images are {UNLIKE}, as a whole: they get no "
            "verdict; look at them"
        )
    if options.out:
        page = options.shown("report.html" if options.report else "predictions.csv")
        messages.print(f"results: {page}", soft_wrap=True)

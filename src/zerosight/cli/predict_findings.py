"""The part of ``zerosight predict`` that recognises findings in chest X-rays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from zerosight.cli.console import messages, print_json, progress, refuse
from zerosight.cli.predict_scale import predict_on
from zerosight.types import Failure, FindingPrediction, Maps

if TYPE_CHECKING:
    from zerosight.cli.predict_options import FindingOptions, PredictOptions
    from zerosight.predict.findings import FindingPredictor, Question
    from zerosight.report.dicom.results import DicomResults
    from zerosight.scale.work import FindingJob


@dataclass(slots=True)
class Tally:
    """What was found so far.

    Attributes:
        scored: Images whose findings were scored.
        failed: Images that could not be read.
        strange: Images unlike those of training.
        hidden: Findings whose map was not shown somewhere, and why.
    """

    scored: int = 0
    failed: int = 0
    strange: int = 0
    hidden: dict[str, str] = field(default_factory=dict)


def predict_findings(options: PredictOptions) -> None:
    """Score findings in images and write results.

    Raises:
        ConfigError: The list of findings is empty or names one twice, or an option means nothing here.
        DescriptionError: A finding has no description.
    """
    import zerosight
    from zerosight.journal import ResumePolicy
    from zerosight.models.llava_radz.descriptions import load_descriptions
    from zerosight.report.findings import FindingFormat
    from zerosight.report.writer import FILES, ResultWriter

    other, out = options.anomalies, options.out
    refuse(
        "a model of findings",
        runtime=other.graph,
        tile=other.tile,
        pixel_threshold=other.pixel_threshold,
        precision=other.precision,
        compile=other.compile or None,
        overlap=other.overlap,
        normals=other.normals or None,
        alpha=other.alpha,
        normals_folder=other.normals_folder,
        **other.saved(),
    )
    if not options.findings.maps:
        refuse("--no-maps", map=options.findings.map, all_maps=options.findings.all_maps or None)
    if options.on:
        return predict_on(options, lambda device: _job(options, device))
    images = list(options.images()) if options.findings.dicom else options.named()
    _check_dicom(options, [image for image in images or () if isinstance(image, Path)])
    if options.findings.descriptions:
        load_descriptions(options.findings.descriptions)  # mistakes in it are told before the model is loaded
    if out:
        ResumePolicy(out, options.resume, options.overwrite).check(FILES)
    predictor = zerosight.load_findings(options.model, options.device, options.batch_size)
    question = _ask(predictor, options.findings)
    settings = predictor.identity(question) | {"threshold": options.threshold}
    shown = options.report or options.parquet == "maps"
    maps = _maps(options.findings) if shown and out is not None else False
    if maps:
        settings["maps"] = predictor.map_identity(maps)
    documents = _documents(options.findings, predictor, maps)
    if documents:
        settings["dicom"] = {"kinds": list(documents.kinds), "deidentify": options.findings.deidentify}
    layout = FindingFormat(question.names, documents)
    writer = (
        ResultWriter(
            out,
            store=options.store,
            resume=options.resume,
            overwrite=options.overwrite,
            settings=settings,
            format=layout,
            parquet=options.parquet,
        )
        if out
        else None
    )
    todo, total = options.todo(writer.is_done if writer else lambda _: False, images)
    with writer or nullcontext(), progress("images", quiet=options.as_json) as bar:
        options.begin()
        task = bar.add_task("scoring", total=total)
        found = predictor.stream(
            todo, question, threshold=options.threshold, maps=maps, on_error=options.on_error
        )
        results = writer.written(found, options.report) if writer else (scored.result for scored in found)
        counts = _consume(results, options, lambda: options.advance(bar, task))
    if out and options.report:
        write_finding_page(out, predictor, "Chest findings", question, options.sent_pictures())
    _close(options, predictor, question, counts, maps, documents)
    if counts.failed and not counts.scored:
        raise typer.Exit(1)
    return None


def _job(options: PredictOptions, device: str) -> FindingJob:
    """Return what a cluster is asked; it is sent the descriptions, not their file."""
    from zerosight.models.llava_radz.descriptions import load_descriptions
    from zerosight.scale.work import FindingJob

    asked = options.findings
    known = load_descriptions(asked.descriptions) if asked.descriptions else None
    maps = _maps(asked) or None if options.parquet == "maps" else None
    return FindingJob(
        options.model,
        tuple(_labels(asked)),
        device,
        options.batch_size,
        threshold=options.threshold,
        descriptions=known,
        mode=asked.mode,
        maps=maps,
    )


def _close(
    options: PredictOptions,
    predictor: FindingPredictor,
    question: Question,
    counts: Tally,
    maps: Maps | Literal[False],
    documents: DicomResults | None,
) -> None:
    """Tell what was done and what it is worth."""
    for reason, number in sorted(documents.left_out.items()) if documents else ():
        messages.print(f"no DICOM results for {number} images {reason}")
    if options.as_json:
        return
    failed = f", {counts.failed} could not be read" if counts.failed else ""
    messages.print(f"{counts.scored} images scored{failed}; anchors {question.anchors.provenance}")
    _warn(predictor, counts, maps)
    if options.out:
        page = options.shown("report.html" if options.report else "predictions.csv")
        messages.print(f"results: {page}", soft_wrap=True, markup=False)
    messages.print("research use only: not a medical device, not for diagnosis")


def _consume(
    found: Iterable[FindingPrediction | Failure], options: PredictOptions, advance: Callable[[], None]
) -> Tally:
    """Tell and count every result."""
    counts = Tally()
    for result in found:
        _tell(result, options.as_json)
        if isinstance(result, Failure):
            counts.failed += 1
        else:
            counts.scored += 1
            counts.strange += result.is_familiar is False
            counts.hidden |= {one.name: one.no_map for one in result.findings if one.no_map}
        advance()
        del result  # or its maps would be held while the next ones are made
    return counts


def write_finding_page(
    out: Path,
    predictor: FindingPredictor,
    title: str,
    question: Question | None = None,
    pictures: str | None = None,
) -> Path:
    """Write report.html for a folder of findings and return its path."""
    from zerosight.report.findings_html import write_finding_report

    card = predictor.card
    model = {
        "name": card.name,
        **card.foundation,
        "probabilities calibrated on": card.calibration.source,
        "maps": card.maps.note,
    }
    if question is not None:
        model |= {"scoring": question.mode, "anchors": question.anchors.provenance}
    created = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    return write_finding_report(out, title, model, created, pictures=pictures)


def _check_dicom(options: PredictOptions, images: Iterable[Path]) -> None:
    """Refuse DICOM results that could not be.

    Raises:
        ConfigError: There is no folder for them, no picture is made, or no image is a DICOM file.
    """
    from zerosight.errors import ConfigError

    asked = options.findings
    if asked.dicom is None:
        if asked.deidentify:
            raise ConfigError("--deidentify: is about DICOM results; ask for them with --dicom sc,sr")
        return
    if options.out is None or not options.report:
        raise ConfigError("--dicom: writes files beside the pictures; give --out, and leave --no-report out")
    from zerosight.report.dicom.origin import is_dicom

    if not any(map(is_dicom, images)):
        raise ConfigError(
            "--dicom: none of the images is a DICOM file, and DICOM results refer to an original; "
            "give DICOM files, or leave --dicom out"
        )


def _documents(
    options: FindingOptions, predictor: FindingPredictor, maps: Maps | Literal[False]
) -> DicomResults | None:
    """Return what makes DICOM objects; None where none were asked for."""
    if options.dicom is None:
        return None
    from zerosight.report.dicom.results import DicomResults, dicom_kinds

    card = predictor.card
    settings = {
        "weights": predictor.key,
        **card.foundation,
        "calibrated on": card.calibration.source,
        "maps": (maps.way or card.maps.name) if maps else "none",
    }
    return DicomResults(dicom_kinds(options.dicom), card.name, settings, options.deidentify)


def _maps(options: FindingOptions) -> Maps | Literal[False]:
    """Return which maps to make, as the options say."""
    return Maps(options.map, options.all_maps) if options.maps else False


def _warn(predictor: FindingPredictor, counts: Tally, maps: Maps | Literal[False]) -> None:
    """Tell the limits of the model and of what it said."""
    from zerosight.report.findings import UNFAMILIAR

    card = predictor.card
    if card.limitation:
        messages.print(f"limitation: {card.limitation}", markup=False)
    if counts.strange:
        messages.print(
            f"{counts.strange} of {counts.scored} images are {UNFAMILIAR}: their findings say nothing "
            "and are not ranked"
        )
    if maps and maps.way is None and card.maps.misleads:
        messages.print(f"maps: {card.maps.note}", markup=False)
    elif counts.hidden:
        [reason, *_] = counts.hidden.values()
        names = ", ".join(sorted(counts.hidden))
        messages.print(f"no map of {names}: {reason}; --all-maps shows it", markup=False)


def _labels(options: FindingOptions) -> Sequence[str]:
    from zerosight.predict.findings import DEFAULT_LABELS

    return DEFAULT_LABELS if options.labels is None else options.labels.split(",")


def _ask(predictor: FindingPredictor, options: FindingOptions) -> Question:
    labels = _labels(options)
    return predictor.ask(labels, descriptions=options.descriptions, mode=options.mode, write=options.write)


def _tell(result: FindingPrediction | Failure, as_json: bool) -> None:
    if as_json:
        print_json(result.to_dict())
    elif isinstance(result, Failure):
        messages.print(f"skipped: {result.error}", markup=False)

"""Evaluation and calibration from Python, as short as from the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zerosight.choices import Arithmetic
from zerosight.data.find import find_images
from zerosight.data.layouts import open_dataset
from zerosight.data.manifest import Dataset
from zerosight.errors import DataError, OutputError
from zerosight.evaluate.anomalies import Evaluation, EvaluationConfig, ResumePolicy, model_facts
from zerosight.evaluate.anomalies import evaluate as measure
from zerosight.evaluate.anomalies.calibrate import calibrated_card
from zerosight.evaluate.anomalies.output import write_outputs
from zerosight.export.write import write_with_card
from zerosight.models.card import CARD, AnomalyCard
from zerosight.models.catalog import copy_model
from zerosight.predict.anomalies import Predictor, load
from zerosight.report.formats import safe_name
from zerosight.runtimes.load import is_exported
from zerosight.runtimes.onnx import OnnxScorer
from zerosight.runtimes.openvino import OpenVinoScorer

if TYPE_CHECKING:
    from zerosight.evaluate.findings import FindingEvaluation
    from zerosight.models.llava_radz.card import FindingCard
    from zerosight.predict.findings import FindingPredictor

Data = str | Path | Dataset | Iterable[str | Path | Dataset]
Progress = Callable[[int, int], None]
FALSE_ALARMS, PIXELS, OVERLAP = 0.05, 0.01, 0.25
SPLITS = ("val", "validation")
"""Where labelled images for calibration of findings are looked for."""


def evaluate(
    data: Data,
    model: str | Path | Predictor = "vip2clip-lite",
    *,
    device: str = "cpu",
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
    **settings: Any,
) -> Evaluation:
    """Return the metrics of a model of anomalies, as ``zerosight evaluate`` does.

    Args:
        data: ``LAYOUT:ROOT``, such as ``"folder:parts"`` or ``"mvtec_ad:/data/mvtec"``, a manifest, or what
            ``open_dataset`` returned; one or many.
        model: A shipped model's name, a folder, an exported graph, or a predictor.
        device: Where it runs, unless it is a predictor.
        out: Folder for ``evaluation.html``, ``.md``, ``.json`` and what resuming needs; None writes nothing.
        resume: Go on with an interrupted evaluation.
        overwrite: Replace the results in ``out``.
        progress: Called with the numbers of images done and of all images of a data set.
        settings: Of :class:`~zerosight.evaluate.anomalies.config.EvaluationConfig`, such as
            ``splits=["val"]``.

    Raises:
        ConfigError: A setting is unknown or not allowed.
        DataError: There is nothing to evaluate.
        OutputError: The folder cannot be used.
        WeightsError: There is no such model, or it finds something else.
    """
    config = EvaluationConfig.load(None, **settings)
    datasets = named_datasets(data)
    predictor = model if isinstance(model, Predictor) else load(model, device, config.batch_size)
    results = [
        measure(predictor, dataset, config, _policy(out, name, resume, overwrite), progress)
        for name, dataset in datasets.items()
    ]
    found = Evaluation(model_facts(predictor.card), config.shown(), tuple(results))
    if out is not None:
        write_outputs(Path(out), found, list(datasets.values()), predictor)
    return found


def evaluate_findings(
    data: Data,
    model: str | Path | FindingPredictor = "radz-tiny",
    *,
    device: str = "cpu",
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
    **settings: Any,
) -> tuple[FindingEvaluation, ...]:
    """Return the metrics of a model of findings, one result per data set; for research only.

    Args:
        data: As for :func:`evaluate`.
        model: A shipped model's name, a folder, or a predictor.
        device: As for :func:`evaluate`.
        out: As for :func:`evaluate`; the pages of several data sets lie in a folder each.
        resume: As for :func:`evaluate`.
        overwrite: As for :func:`evaluate`.
        progress: As for :func:`evaluate`.
        settings: Of :class:`~zerosight.evaluate.findings.config.ModelEvaluationConfig`.

    Raises:
        ZerosightError: As :func:`evaluate`.
    """
    from zerosight.evaluate.findings import ModelEvaluationConfig, evaluate_model, write_findings
    from zerosight.predict.findings import FindingPredictor, load_findings

    config = ModelEvaluationConfig.load(None, **settings)
    datasets = named_datasets(data)
    predictor = (
        model if isinstance(model, FindingPredictor) else load_findings(model, device, config.batch_size)
    )
    found = []
    for name, dataset in datasets.items():
        policy = _policy(out, name, resume, overwrite)
        found.append(evaluate_model(predictor, dataset, config, policy, progress))
        if out is not None:
            write_findings(found[-1], Path(out) if len(datasets) == 1 else Path(out) / name)
    return tuple(found)


def calibrate(
    images: str | Path | Iterable[str | Path],
    out: str | Path,
    model: str | Path = "vip2clip-lite",
    *,
    false_alarms: float = FALSE_ALARMS,
    overwrite: bool = False,
    progress: Progress | None = None,
    **how: Any,
) -> AnomalyCard:
    """Write a model whose thresholds few normal images reach, and return its card.

    Args:
        images: Normal images or folders of them.
        out: The model folder, or for an exported model the file, to write.
        model: A shipped model's name, a model folder or an exported file.
        false_alarms: Share of normal images that may be called anomalous, in [0, 0.5].
        overwrite: Replace a model folder at ``out``.
        progress: Called with the numbers of images done and of all images.
        how: ``device``, ``precision``, ``tile`` and ``overlap``: thresholds hold for scores computed alike.

    Raises:
        DataError: There is no image to learn from.
        OutputError: ``out`` holds something that is not to be replaced, or cannot be written.
        WeightsError: There is no such model, or it finds something else.
    """
    out = Path(out)
    if not is_exported(model):
        _check_place(out, overwrite)
    named = [images] if isinstance(images, str | Path) else list(images)
    files = list(find_images(named))
    predictor = _prepared(model, **how)
    card = predictor.card.model_copy(update={"name": out.stem if is_exported(out) else out.name})

    def results() -> Iterable[Any]:
        for done, result in enumerate(predictor.predict(files), start=1):
            yield result
            if progress is not None:
                progress(done, len(files))

    card = calibrated_card(card, results(), false_alarms, PIXELS)
    if isinstance(predictor.scorer, OnnxScorer | OpenVinoScorer):
        write_with_card(Path(model), replace(predictor.scorer.facts, card=card), out)
    else:
        copy_model(model, card, out)
    return card


def calibrate_findings(
    data: str | Path | Dataset,
    out: str | Path,
    model: str | Path = "radz-tiny",
    *,
    device: str = "cpu",
    only_maps: bool = False,
    progress: Progress | None = None,
    **rows: Any,
) -> tuple[FindingCard, dict[str, int]]:
    """Write a model of findings whose probabilities and thresholds fit labelled images.

    Where the images say where findings are, the card also keeps of which findings the model's maps are worth
    showing.

    Args:
        data: As for :func:`evaluate`, one data set.
        out: The model folder to write.
        model: A shipped model's name or a model folder.
        device: Where the model runs.
        only_maps: Leave probabilities and thresholds as they are.
        progress: As for :func:`evaluate`.
        rows: Of :class:`~zerosight.evaluate.findings.config.RowsConfig`, such as ``splits``.

    Returns:
        The card of the new model, and how many images were left out, by reason.

    Raises:
        DataError: Only maps are asked for, and there is nothing to hold them to.
        ZerosightError: As :func:`calibrate`.
    """
    from zerosight.evaluate.findings import RowsConfig, calibrate_model, measure_maps
    from zerosight.predict.findings import load_findings

    [dataset] = named_datasets(data).values()
    predictor = load_findings(model, device)
    config = RowsConfig.load(None, **(rows | {"splits": rows.get("splits") or SPLITS}))
    update: dict[str, Any] = {"name": Path(out).name}
    left_out: dict[str, int] = {}
    if not only_maps:
        update["calibration"], left_out = calibrate_model(predictor, dataset, config, progress)
    maps, not_held = measure_maps(predictor, dataset, config, progress)
    if maps is not None:
        update["maps"] = maps
    elif only_maps:
        raise DataError(
            f"{dataset.header.name}: no finding has a region in two patients; give rows with 'regions', such "
            "as zerosight data boxes writes"
        )
    card = predictor.card.model_copy(update=update)
    copy_model(model, card, Path(out))
    return card, left_out | not_held


def named_datasets(data: Data) -> dict[str, Dataset]:
    """Return data sets by a name of their own, which is also that of their folder of results."""
    many = [data] if isinstance(data, str | Path | Dataset) else data
    found: dict[str, Dataset] = {}
    for one in many:
        dataset = open_dataset(str(one)) if isinstance(one, str | Path) else one
        name = stem = safe_name(dataset.header.name)
        number = 1
        while name in found:
            number += 1
            name = f"{stem}-{number}"
        found[name] = dataset
    return found


def _policy(out: str | Path | None, name: str, resume: bool, overwrite: bool) -> ResumePolicy:
    """Return where what is found about a data set is kept."""
    return ResumePolicy(None if out is None else Path(out) / name, resume, overwrite)


def _prepared(
    model: str | Path,
    device: str = "cpu",
    precision: Arithmetic = "exact",
    tile: int | None = None,
    overlap: float = OVERLAP,
) -> Predictor:
    """Return the model as it is to be used; a tile of 0 is the model's input size."""
    predictor = load(model, device, precision=precision)
    return predictor if tile is None else predictor.tiled(tile or None, overlap)


def _check_place(folder: Path, overwrite: bool) -> None:
    """Refuse a folder that is not to be written.

    Raises:
        OutputError: Something is there that may not be replaced.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / CARD).is_file():
        raise OutputError(f"{folder}: holds something that is no model; name another folder")
    if not overwrite:
        raise OutputError(f"{folder}: holds a model already; use --overwrite, or name another folder")

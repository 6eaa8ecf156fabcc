"""The part of ``zerosight evaluate`` that measures how well a batch serves as its own reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zerosight.cli.console import refuse
from zerosight.cli.evaluate_few_shot import cell_of, measure
from zerosight.errors import ConfigError

if TYPE_CHECKING:
    from zerosight.cli.evaluate import EvaluateOptions
    from zerosight.evaluate.anomalies.transductive import BatchResult
    from zerosight.report.table import Table

COLUMNS = {
    "words_auroc": "zero-shot",
    "batch_auroc": "alone",
    "image_auroc": "both",
    "pixel_auroc": "px AUROC",
    "false_alarms": "alarms",
    "misses": "misses",
    "warned": "warned",
}


def evaluate_batch(options: EvaluateOptions) -> None:
    """Measure a model on batches that are their own reference, at some shares of anomalies.

    Raises:
        ConfigError: An option means nothing here, or a share is out of its range.
    """
    from zerosight.evaluate.anomalies.transductive import BatchConfig, transductive

    refuse(
        "an evaluation of batches",
        out=options.out,
        resume=options.resume or None,
        overwrite=options.overwrite or None,
        resolution=options.anomalies["resolution"],
        normals=options.anomalies["normals"],
        augment=options.anomalies["augment"],
    )
    given = {key: options.anomalies[key] for key in ("aupro", "draws")}
    values = options.shared | given | {"categories": options.categories}
    shares = _numbers(options.anomalies["batch_reference"])
    measure(options, BatchConfig.load(None, **values, shares=shares), transductive, table_of)


def table_of(result: BatchResult, model: str) -> Table:
    """Return the results of one data set as a table."""
    from zerosight.report.table import Table

    rows = tuple(
        (f"{share:.0%}", str(images), *(cell_of(mean[key], deviation[key]) for key in COLUMNS))
        for share, images, mean, deviation in result.rows()
    )
    title = f"{result.name}: {model}, the batch as its own reference, mean ± deviation over draws, in %"
    note = (
        "zero-shot, the batch alone, both: image AUROC; alarms, misses: at the batch's own threshold; "
        "warned: batches that look as if too many images were anomalous, or as if one defect repeated"
    )
    return Table(("anomalous", "images", *COLUMNS.values()), rows, title, note)


def _numbers(words: tuple[str, ...]) -> tuple[float, ...]:
    """Return shares.

    Raises:
        ConfigError: One is no number.
    """
    try:
        return tuple(map(float, words))
    except ValueError:
        raise ConfigError(
            f"--batch-reference: should be shares of anomalies such as 0.05,0.2,0.5, got {','.join(words)}"
        ) from None

"""The benchmark of LLaVA-RadZ as tables of text, for a terminal and for Markdown."""

from __future__ import annotations

from zerosight.benchmark.radz.counts import CountResult
from zerosight.benchmark.radz.depth import DepthResult
from zerosight.benchmark.radz.full_size import FullSizeRow
from zerosight.benchmark.radz.inference import SpeedRow
from zerosight.benchmark.radz.run import Aim, RadzBenchmark
from zerosight.benchmark.radz.training import StepResult
from zerosight.report.table import Table


def radz_tables(result: RadzBenchmark) -> list[Table]:
    """Return all tables of one model, the aims last."""
    return [
        _speed(result.speed, f"{result.model}, {result.parameters / 1e6:.1f} million parameters"),
        _counts(result.counts),
        _depth(result.depth),
        _steps(result.steps),
        _aims(result.aims),
    ]


def full_size_table(rows: list[FullSizeRow]) -> Table:
    """Return a row per model of true size."""
    header = (
        *("model", "parameters", "layers run", "tokens", "training s/pair", "GB", "loading s"),
        *("tower s/image", "score s/image", "GB", "map s/finding", "GB"),
        *("whole: parameters", "layers run", "training s/pair", "score s/image", "bf16 GB"),
    )
    cells = [
        (
            row.name,
            f"{row.parameters / 1e6:,.0f} M",
            str(row.layers),
            str(row.tokens),
            f"{row.train_seconds:.1f}",
            f"{row.train_gb:.1f}",
            f"{row.load_seconds:.1f}",
            f"{row.tower_seconds:.2f}",
            f"{row.score_seconds:.2f}",
            f"{row.score_gb:.1f}",
            f"{row.map_seconds:.2f}",
            f"{row.map_gb:.1f}",
            f"{row.whole_parameters / 1e6:,.0f} M",
            str(row.whole_layers),
            f"{row.whole_train_seconds:.1f}",
            f"{row.whole_seconds:.2f}",
            f"{row.whole_gb:.1f}",
        )
        for row in rows
    ]
    return Table(header, tuple(cells), words=None)


def _speed(rows: list[SpeedRow], model: str) -> Table:
    header = (
        *("batch", "plain images/s", "product images/s", "product / plain", "of it the tower"),
        *("plain tensors MB", "product tensors MB", "plain resident MB", "product resident MB"),
        "largest difference",
    )
    cells = [
        (
            str(row.batch),
            f"{1 / row.plain_seconds:.2f}",
            f"{1 / row.product_seconds:.2f}",
            f"{row.speedup:.2f}×",
            f"{row.tower_share:.0%}",
            f"{row.plain_tensors_mb:.1f}",
            f"{row.product_tensors_mb:.1f}",
            _megabytes(row.plain_resident_mb),
            _megabytes(row.product_resident_mb),
            f"{row.max_difference:.0e}",
        )
        for row in rows
    ]
    return Table(header, tuple(cells), f"From pixels to scores: {model}", words=None)


def _counts(result: CountResult) -> Table:
    header = (
        *("findings", "anchors built", "read from cache", "scored, per image", "to the first row"),
        *(
            "operations, counted",
            "of it the scores",
            "asked, per image",
            "to the first row",
            "asked / scored",
        ),
    )
    cells = [
        (
            str(row.findings),
            f"{row.build_seconds:.2f} s",
            f"{1e3 * row.read_seconds:.1f} ms",
            f"{1e3 * row.product_seconds:.1f} ms",
            f"{row.product_ratio:.3f}×",
            f"{row.operations_ratio:.5f}×",
            f"{row.scoring_share:.2%}",
            f"{row.asked_seconds:.3f} s",
            f"{row.asked_ratio:.1f}×",
            f"{row.asked_over_product:.1f}×",
        )
        for row in result.rows
    ]
    note = (
        f"The first row against itself: {result.noise:.3f}×. Questions were asked "
        f"{result.questions} at a time, and once."
    )
    return Table(header, tuple(cells), "More findings", note, words=None)


def _depth(result: DepthResult) -> Table:
    header = ("decoder", "layers", "GFLOP per image", "per image", "saved, counted", "saved, measured")
    cells = [
        (
            row.name,
            str(row.layers),
            f"{row.gigaflops:.3f}",
            f"{1e3 * row.seconds:.1f} ms",
            f"{row.expected:.1%}",
            f"{row.measured:.1%}",
        )
        for row in result.rows
    ]
    note = (
        f"{result.length} tokens per image, {result.batch} images per pass; the states that are read differ "
        f"by {result.max_difference:.0e} at most."
    )
    return Table(header, tuple(cells), "Stopping at the read layer", note, words=None)


def _steps(result: StepResult) -> Table:
    header = ("step", "batch", "chunk", "seconds", "tensors MB", "to the first row", "resident MB")
    cells = [
        (
            row.name,
            str(row.batch),
            str(row.chunk),
            f"{row.seconds:.2f}",
            f"{row.tensors_mb:.1f}",
            f"{row.memory_ratio:.2f}×",
            _megabytes(row.resident_mb),
        )
        for row in result.rows
    ]
    note = (
        f"Cached gradients take {result.time_ratio:.2f}× the time of one graph; gradients differ by "
        f"{result.max_difference:.0e} of the largest."
    )
    return Table(header, tuple(cells), "Training steps", note, words=None)


def _aims(aims: list[Aim]) -> Table:
    cells = [(aim.name, aim.wanted, f"{aim.found:.3f}", "yes" if aim.met else "no") for aim in aims]
    return Table(("aim", "wanted", "found", "met"), tuple(cells), "Aims", words=None)


def _megabytes(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"

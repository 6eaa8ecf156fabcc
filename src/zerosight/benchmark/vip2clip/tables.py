"""The benchmark's rows as Markdown, ready for a page."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from zerosight.benchmark.vip2clip.efficiency import PUBLISHED
from zerosight.report.table import Table

Rows = Sequence[Mapping[str, Any]]


def tables(found: Mapping[str, Rows]) -> Iterator[str]:
    """Yield one Markdown table per kind of measurement.

    Args:
        found: Rows as JSON values, by ``inference``, ``training``, ``files``, ``scaling``, ``references``,
            ``gpu`` and ``efficiency``.
    """
    makers = {"training": _training, "files": _files, "scaling": _scaling, "gpu": _gpu}
    makers["references"] = _references
    for kind, rows in found.items():
        if kind == "inference":
            yield from (_inference(table) for table in rows)
        elif kind == "efficiency":
            yield from _efficiency(rows)
        else:
            yield makers[kind](rows)


def _inference(table: Mapping[str, Any]) -> str:
    head = ["way", "batch", "images/s", "× plain", "score differs by", "map differs by", "MB"]
    lines = [[*head, "of the limit"]]
    plain = [f"{1 / table['plain_seconds']:.2f}", "1.00", "", "", _mb(table["plain_mb"])]
    near = statistics.median(row["plain_near"] for row in table["ways"])
    lines.append(["plain", "1", *plain, f"{near:.0%}"])
    lines += [
        [
            row["way"],
            str(row["batch"]),
            f"{1 / row['seconds']:.2f}",
            f"{row['speedup']:.2f}",
            f"{row['score_difference']:.1e}",
            f"{row['map_difference']:.1e}",
            _mb(row["peak_mb"]),
            f"{row['near']:.0%}",
        ]
        for row in table["ways"]
    ]
    tower, plain_ms = 1e3 * table["tower_seconds"], 1e3 * table["plain_tower_seconds"]
    limits: dict[str, list[float]] = {}
    for row in table["ways"]:
        limits.setdefault(row["numbers"], []).append(row["gflops"])
    limit = ", ".join(f"{name} {statistics.median(found):.0f}" for name, found in limits.items())
    return (
        f"{table['name']} ({table['size']} px): image tower alone {tower:.0f} ms, plain {plain_ms:.0f} ms; "
        f"all outside it {table['outside']:.2%} of the plain tower.\n"
        f"{table['gflop']:.4g} GFLOP per image, plain {table['plain_gflop']:.4g}; "
        f"limit, GFLOPS of one large product: {limit}\n\n{_markdown(lines)}"
    )


def _references(rows: Rows) -> str:
    lines = [["references", "zero-shot ms", "added", "16 normals fitted in", "predictions' time", "more"]]
    for row in rows:
        many = f"{row['many']} fitted in {row['many_seconds']:.0f} s, {_mb(row['many_mb'])} MB"
        lines.append(
            [
                row["name"],
                f"{1e3 * row['zero_shot']:.0f}",
                f"{row['added']:.1%}",
                f"{row['fit_seconds']:.2f} s",
                f"{row['fit_predictions']:.1f}",
                many if row["many"] else "",
            ]
        )
    return _markdown(lines)


def _training(rows: Rows) -> str:
    lines = [["training", "batch", "plain step", "first epoch", "cached", "10 epochs", "whole run", "MB"]]
    for row in rows:
        whole = "–"
        if row["run_images"]:
            whole = (
                f"{row['run_images']} images: {row['run_plain_seconds']:.0f} s, {row['run_seconds']:.0f} s, "
                f"{row['run_speedup']:.1f}×; losses differ by {row['loss_difference']:.1e}"
            )
        lines.append(
            [
                row["name"],
                str(row["batch"]),
                f"{row['plain_seconds']:.3f} s",
                f"{row['first_seconds']:.3f} s",
                f"{row['cached_seconds']:.3f} s",
                f"{row['speedup']:.1f}×",
                whole,
                f"plain {_mb(row['plain_mb'])}, first {_mb(row['first_mb'])}, cached {_mb(row['cached_mb'])}",
            ]
        )
    return _markdown(lines)


def _files(rows: Rows) -> str:
    lines = [["files to maps and regions", "way", "images", "images/s", "in the model", "MB"]]
    lines += [
        [
            f"{row['name']}, {row['width']} × {row['height']} JPEG",
            row["way"],
            str(row["images"]),
            f"{row['images_per_second']:.1f}",
            f"{row['busy']:.0%}",
            _mb(row["peak_mb"]),
        ]
        for row in rows
    ]
    return _markdown(lines)


def _scaling(rows: Rows) -> str:
    lines = [["cost", "against", "value", "ms per image", "MB"]]
    lines += [
        [row["name"], row["against"], str(row["value"]), f"{row['milliseconds']:.1f}", _mb(row["peak_mb"])]
        for row in rows
    ]
    return _markdown(lines)


def _gpu(rows: Rows) -> str:
    head = ["GPU", "precision", "batch", "images/s", "tower alone", "whole / tower", "p50 ms", "p95 ms"]
    lines = [[*head, "training steps/s", "MB"]]
    for row in rows:
        steps = row["training_steps_per_second"]
        lines.append(
            [
                row["name"],
                row["precision"],
                str(row["batch"]),
                f"{row['images_per_second']:.1f}",
                f"{row['tower_images_per_second']:.1f}",
                f"{row['whole_over_tower']:.3f}",
                f"{row['p50_ms']:.1f}",
                f"{row['p95_ms']:.1f}",
                f"{steps:.1f}" if steps else "–",
                _mb(row["peak_mb"]),
            ]
        )
    return _markdown(lines)


def _efficiency(rows: Rows) -> Iterator[str]:
    """Yield a table of the parts per workload, and one of whole methods beside what others report."""
    for name in dict.fromkeys(row["name"] for row in rows):
        own = [row for row in rows if row["name"] == name]
        [tower] = [row for row in own if row["part"] == "image tower"]
        lines = [["method", "part", "trainable", "GFLOP", "ms", "MB"]]
        lines += [[row["method"], row["part"], f"{row['trainable']:,}", *_costs([row])] for row in own]
        frozen = f"frozen numbers of both towers: {tower['frozen']:,}"
        size = f"{tower['size']} px"
        yield f"{name if size in name else f'{name} ({size})'}, {frozen}\n\n{_markdown(lines)}"
        lines = [["whole image", "trainable", "GFLOP", "ms", "outside the tower", "MB"]]
        for method in dict.fromkeys(row["method"] for row in own if row is not tower):
            parts = [row for row in own if row["method"] == method]
            share = sum(row["milliseconds"] for row in parts) / tower["milliseconds"]
            gflop, milliseconds, memory = _costs([tower, *parts])
            trained = f"{sum(row['trainable'] for row in parts):,}"
            lines.append([method, trained, gflop, milliseconds, f"{share:.1%}", memory])
        yield _markdown(lines)
    lines = [["published, on a GPU of their own, 518 px", "ms per image"]]
    yield _markdown(lines + [[name, f"{value:g}"] for name, value in PUBLISHED.items()])


def _costs(rows: Rows) -> tuple[str, str, str]:
    """Return operations and time of parts together, and the memory of the largest."""
    gflop, milliseconds = (sum(row[key] for row in rows) for key in ("gflop", "milliseconds"))
    time = f"{milliseconds:.3g}" if milliseconds < 100 else f"{milliseconds:,.0f}"
    return f"{gflop:.4g}", time, _mb(max(row["tensors_mb"] for row in rows))


def _markdown(lines: list[list[str]]) -> str:
    head, *rows = map(tuple, lines)
    return Table(head, tuple(rows), words=None).markdown(escape=False) + "\n"


def _mb(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"

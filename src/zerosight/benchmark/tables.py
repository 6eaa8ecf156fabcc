"""The benchmark's rows as Markdown, ready for a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Rows = Sequence[Mapping[str, Any]]


def tables(found: Mapping[str, Rows]) -> Iterator[str]:
    """Yield one Markdown table per kind of measurement.

    Args:
        found: Rows as JSON values, by ``inference``, ``training``, ``files``, ``scaling`` and ``gpu``.
    """
    makers = {"training": _training, "files": _files, "scaling": _scaling, "gpu": _gpu}
    for kind, rows in found.items():
        if kind == "inference":
            yield from (_inference(table) for table in rows)
        else:
            yield makers[kind](rows)


def _inference(table: Mapping[str, Any]) -> str:
    lines = [["way", "batch", "images/s", "× plain", "score differs by", "map differs by", "MB"]]
    lines.append(["plain", "1", f"{1 / table['plain_seconds']:.2f}", "1.00", "", "", _mb(table["plain_mb"])])
    lines += [
        [
            row["way"],
            str(row["batch"]),
            f"{1 / row['seconds']:.2f}",
            f"{row['speedup']:.2f}",
            f"{row['score_difference']:.1e}",
            f"{row['map_difference']:.1e}",
            _mb(row["peak_mb"]),
        ]
        for row in table["ways"]
    ]
    tower, plain = 1e3 * table["tower_seconds"], 1e3 * table["plain_tower_seconds"]
    return (
        f"{table['name']} ({table['size']} px): image tower alone {tower:.0f} ms, plain {plain:.0f} ms; "
        f"all outside it {table['outside']:.2%} of the plain tower\n\n{_markdown(lines)}"
    )


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


def _markdown(lines: list[list[str]]) -> str:
    head, *body = ("| " + " | ".join(line) + " |" for line in lines)
    return "\n".join([head, "|" + "---|" * len(lines[0]), *body]) + "\n"


def _mb(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"

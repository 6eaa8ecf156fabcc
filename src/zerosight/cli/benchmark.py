"""``zerosight benchmark``."""

from __future__ import annotations

import os
import platform
from typing import Annotated, Any

import typer

from zerosight.cli.console import messages, print_json
from zerosight.errors import ConfigError, did_you_mean

app = typer.Typer(help="Measure speed and memory, side by side with the plain formulation.")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback(invoke_without_command=True)
def vip2clip(
    context: typer.Context,
    case: Annotated[
        list[str] | None, typer.Option(help="lite, ViT-B/16, ViT-L/14@336 or tiny; repeatable (first three)")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Time ViP²-CLIP: inference and training steps, plain and as the product does them.

    The CLIP backbones get random weights: speed and agreement do not depend on them.
    """
    if context.invoked_subcommand:
        return
    from zerosight.benchmark.inference import CASES, benchmark_files, benchmark_inference
    from zerosight.benchmark.training import benchmark_training

    names = case or [name for name in CASES if name != "tiny"]
    for name in names:
        if name not in CASES:
            raise ConfigError(f"--case: '{name}' is not known{did_you_mean(name, CASES)}; {', '.join(CASES)}")
    inference, training = [], []
    for name in names:
        messages.print(f"measuring {name} …")
        inference.append(benchmark_inference(CASES[name]).to_json())
        training.append(benchmark_training(CASES[name]).to_json())
    files = benchmark_files(CASES[names[0]].backbone) | {"name": names[0]}
    if as_json:
        print_json({"machine": machine(), "inference": inference, "training": training, "files": files})
        return
    _print_tables(inference, training, files)


@app.command()
def metrics(
    images: Annotated[int, typer.Option(help="number of maps")] = 100,
    size: Annotated[int, typer.Option(help="height and width of each map")] = 518,
    as_json: AsJson = False,
) -> None:
    """Time the pixel metrics beside scikit-learn and the published AUPRO loop (takes minutes)."""
    from zerosight.benchmark.metrics import benchmark_metrics

    found = benchmark_metrics(images, size)
    if as_json:
        print_json({"machine": machine()} | found)
        return
    for name, value in found.items():
        messages.print(f"{name:24s} {value:.6g}" if isinstance(value, float) else f"{name:24s} {value}")


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    import torch

    return {
        "system": platform.system(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if platform.system() == "Linux" else os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor()


def _print_tables(
    inference: list[dict[str, Any]], training: list[dict[str, Any]], files: dict[str, Any]
) -> None:
    from rich.table import Table

    table = Table(
        "inference",
        "plain images/s",
        "product images/s",
        "speedup",
        "after tower",
        "plain MB",
        "product MB",
        "largest difference",
    )
    for row in inference:
        table.add_row(
            row["name"],
            f"{1 / row['plain_seconds']:.2f}",
            f"{1 / row['product_seconds']:.2f}",
            f"{row['speedup']:.2f}×",
            f"{row['after_tower']:.1%}",
            _megabytes(row["plain_mb"]),
            _megabytes(row["product_mb"]),
            f"{row['max_difference']:.1e}",
        )
    messages.print(table)
    table = Table("training step", "batch", "tower every step", "cached", "speedup")
    for row in training:
        table.add_row(
            row["name"],
            str(row["batch"]),
            f"{row['uncached_seconds']:.3f} s",
            f"{row['cached_seconds']:.3f} s",
            f"{row['speedup']:.1f}×",
        )
    messages.print(table)
    messages.print(
        f"{files['name']}, JPEG to map and regions: {files['images_per_second']:.1f} images/s; {machine()}"
    )


def _megabytes(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"

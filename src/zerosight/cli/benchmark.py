"""``zerosight benchmark``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosight.cli.benchmark_full_size import full_size
from zerosight.cli.benchmark_photographs import photographs
from zerosight.cli.benchmark_radz import radz
from zerosight.cli.benchmark_scale import scale
from zerosight.cli.benchmark_serve import serve
from zerosight.cli.console import messages, print_json
from zerosight.cli.options import AsJson

if TYPE_CHECKING:
    from zerosight.benchmark.vip2clip.workloads import Workload

app = typer.Typer(help="Measure speed and memory, side by side with the plain formulation.")
app.command()(radz)
app.command("full-size")(full_size)
app.command()(serve)
app.command()(scale)
app.command()(photographs)
Names = Annotated[
    list[str] | None, typer.Option("--case", help="lite, ViT-B/16, ViT-L/14@336 or tiny; repeatable")
]
Ways = Annotated[
    list[str] | None,
    typer.Option(
        "--way",
        help="exact, fast, openvino, openvino-fast, openvino-int8, onnx, onnx-int8, exact-compiled, "
        "fast-compiled; repeatable",
    ),
]
Graphs = Annotated[
    Path | None, typer.Option(help="folder that keeps exported graphs for other runs (none kept)")
]
RunImages = Annotated[
    int | None, typer.Option(min=1, help="also train for ten epochs on so many images, in both ways")
]


@app.callback(invoke_without_command=True)
def everything(
    context: typer.Context,
    case: Names = None,
    way: Ways = None,
    graphs: Graphs = None,
    as_json: AsJson = False,
) -> None:
    """Time ViP²-CLIP beside the plain formulation: inference, training and whole files.

    The CLIP backbones get random weights: speed and agreement do not depend on them.
    """
    if context.invoked_subcommand:
        return
    cases = _cases(case, ("lite", "ViT-B/16", "ViT-L/14@336"))
    with _folder(graphs) as folder:
        found = {
            "inference": _inference(cases, way, folder),
            "training": _training(cases, None),
            "files": _files(cases[:1], way, folder, 200),
        }
    _show(found, as_json)


@app.command()
def inference(case: Names = None, way: Ways = None, graphs: Graphs = None, as_json: AsJson = False) -> None:
    """Time predictions in several ways of computing."""
    with _folder(graphs) as folder:
        _show({"inference": _inference(_cases(case, ("lite", "ViT-B/16")), way, folder)}, as_json)


@app.command()
def training(case: Names = None, run_images: RunImages = None, as_json: AsJson = False) -> None:
    """Time training steps, and whole runs on request."""
    _show({"training": _training(_cases(case, ("lite", "ViT-B/16")), run_images)}, as_json)


@app.command()
def files(
    case: Names = None,
    way: Ways = None,
    images: Annotated[int, typer.Option(min=1, help="number of photographs")] = 200,
    size: Annotated[tuple[int, int], typer.Option(help="their width and height")] = (640, 480),
    graphs: Graphs = None,
    as_json: AsJson = False,
) -> None:
    """Time the way from JPEG files to maps at their own size and regions."""
    with _folder(graphs) as folder:
        _show({"files": _files(_cases(case, ("lite",)), way, folder, images, size)}, as_json)


@app.command()
def scaling(case: Names = None, as_json: AsJson = False) -> None:
    """Cost against batch size, image size and number of images."""
    from zerosight.benchmark.vip2clip.scaling import benchmark_scaling

    cases = _cases(case, ("lite", "ViT-B/16"))
    _show({"scaling": [row.to_json() for one in cases for row in benchmark_scaling(one)]}, as_json)


@app.command()
def efficiency(case: Names = None, as_json: AsJson = False) -> None:
    """Count what an image costs part by part, in ViP²-CLIP and in each baseline on the same tower."""
    from zerosight.benchmark.vip2clip.efficiency import benchmark_efficiency

    rows = []
    for one in _cases(case, ("lite", "ViT-B/16", "ViT-L/14@336")):
        _tell(f"{one.name}: parts")
        rows += [row.to_json() for row in benchmark_efficiency(one)]
    _show({"efficiency": rows}, as_json)


@app.command()
def references(
    case: Names = None,
    normals: Annotated[int, typer.Option(min=0, help="also fit so many, for time and memory; 0: none")] = 0,
    as_json: AsJson = False,
) -> None:
    """Time what references add to an image, and fitting 16 normal images."""
    from zerosight.benchmark.vip2clip.references import benchmark_references

    rows = [benchmark_references(one, normals).to_json() for one in _cases(case, ("lite",))]
    _show({"references": rows}, as_json)


@app.command()
def gpu(
    case: Names = None,
    compile: Annotated[bool, typer.Option("--compile", help="with torch.compile")] = False,
    as_json: AsJson = False,
) -> None:
    """Time an NVIDIA GPU: the whole beside the tower alone, latency, training steps, memory."""
    from zerosight.benchmark.vip2clip.gpu import benchmark_gpu

    cases = _cases(case, ("lite", "ViT-B/16", "ViT-L/14@336"))
    _show({"gpu": [row.to_json() for one in cases for row in benchmark_gpu(one, compile)]}, as_json)


@app.command()
def metrics(
    images: Annotated[int, typer.Option(help="number of maps")] = 100,
    size: Annotated[int, typer.Option(help="height and width of each map")] = 518,
    as_json: AsJson = False,
) -> None:
    """Time the pixel metrics beside scikit-learn and the published AUPRO loop (takes minutes)."""
    from zerosight.benchmark.machine import machine
    from zerosight.benchmark.metrics import benchmark_metrics

    found = benchmark_metrics(images, size)
    if as_json:
        print_json({"machine": machine()} | found)
        return
    for name, value in found.items():
        messages.print(f"{name:24s} {value:.6g}" if isinstance(value, float) else f"{name:24s} {value}")


def _cases(names: list[str] | None, default: tuple[str, ...]) -> list[Workload]:
    from zerosight.benchmark.vip2clip.workloads import WORKLOADS
    from zerosight.errors import ConfigError, did_you_mean

    for name in names or ():
        if name not in WORKLOADS:
            raise ConfigError(
                f"--case: '{name}' is not known{did_you_mean(name, WORKLOADS)}; {', '.join(WORKLOADS)}"
            )
    return [WORKLOADS[name] for name in names or default]


@contextmanager
def _folder(graphs: Path | None) -> Iterator[Path]:
    """Yield where exported graphs are kept, for this run or for good."""
    if graphs:
        graphs.mkdir(parents=True, exist_ok=True)
        yield graphs
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _inference(cases: list[Workload], ways: list[str] | None, graphs: Path) -> list[dict[str, Any]]:
    from zerosight.benchmark.vip2clip.inference import benchmark_inference
    from zerosight.benchmark.vip2clip.ways import check_ways

    check_ways(ways or [])
    return [benchmark_inference(case, tuple(ways or case.ways), graphs, _tell).to_json() for case in cases]


def _training(cases: list[Workload], run_images: int | None) -> list[dict[str, Any]]:
    from zerosight.benchmark.vip2clip.training import benchmark_training

    rows = []
    for case in cases:
        _tell(f"{case.name}: training")
        rows.append(benchmark_training(case, run_images).to_json())
    return rows


def _files(
    cases: list[Workload],
    ways: list[str] | None,
    graphs: Path,
    images: int,
    size: tuple[int, int] = (640, 480),
) -> list[dict[str, Any]]:
    from zerosight.benchmark.vip2clip.files import benchmark_files
    from zerosight.benchmark.vip2clip.ways import check_ways

    check_ways(ways or [])
    rows = []
    for case in cases:
        for way in ways or case.ways:
            _tell(f"{case.name}: {way}, from files")
            rows.append(benchmark_files(case, way, graphs, images, size).to_json())
    return rows


def _tell(what: str) -> None:
    messages.print(f"measuring {what} …")


def _show(found: dict[str, list[dict[str, Any]]], as_json: bool) -> None:
    from zerosight.benchmark.machine import machine
    from zerosight.benchmark.vip2clip.tables import tables

    if as_json:
        print_json({"machine": machine()} | found)
        return
    for table in tables(found):
        messages.print(table, soft_wrap=True, markup=False)
    messages.print(str(machine()), soft_wrap=True, markup=False)

"""``zerosight data``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zerosight.cli.console import messages, print_json, progress

app = typer.Typer(help="Make, list, check and convert data sets.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep the action as a word of the command."""


@app.command()
def synthesize(
    out: Annotated[Path, typer.Option(help="folder for images, masks and manifest.jsonl")],
    count: Annotated[int | None, typer.Option(min=1, help="number of images")] = None,
    size: Annotated[int | None, typer.Option(help="height and width in pixels")] = None,
    seed: Annotated[int | None, typer.Option(help="same seed, same bytes")] = None,
    base: Annotated[
        list[Path] | None, typer.Option(help="folder of photographs or textures to start from; repeatable")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="processes; 0 for all cores")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Draw auxiliary images with defects and their masks by procedure; training data without a camera.

    Example: zerosight data synthesize --out aux --count 2000
    """
    from zerosight.data.synthetic import SynthesisConfig
    from zerosight.data.synthetic import synthesize as run

    folders = [str(folder) for folder in base] if base else None
    config = SynthesisConfig.load(
        None, count=count, size=size, seed=seed, workers=workers, base_folders=folders
    )
    with progress("images", quiet=as_json) as bar:
        task = bar.add_task("synthesizing", total=config.count)
        manifest = run(config, out, lambda done, total: bar.update(task, completed=done, total=total))
    if as_json:
        print_json({"manifest": str(manifest), "count": config.count})
    else:
        messages.print(f"{config.count} images: {manifest}", soft_wrap=True)
        messages.print(f"next: zerosight train vip2clip {manifest} --out runs/first", soft_wrap=True)

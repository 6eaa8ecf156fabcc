"""The part of ``zerosight predict`` that has a Ray cluster do the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from zerosight.cli.console import messages, progress, refuse
from zerosight.errors import ConfigError

if TYPE_CHECKING:
    from zerosight.cli.predict_options import PredictOptions
    from zerosight.scale.work import Job


def predict_on(options: PredictOptions, job: Callable[[str], Job]) -> None:
    """Score images in a cluster and write them as a Parquet table.

    Args:
        options: What the command line says, with ``on``.
        job: Returns what is asked of every image, of a device.

    Raises:
        ConfigError: An option means nothing there.
        ClusterError: The cluster cannot be reached, or cannot do the work.
    """
    _check(options)
    from zerosight.journal import ResumePolicy
    from zerosight.report.writer import FILES
    from zerosight.scale.blocks import BLOCKS, BlockFolder
    from zerosight.scale.cluster import connected, facts_there, plan
    from zerosight.scale.run import Engine, run, sizes

    assert options.on is not None
    policy, maps = ResumePolicy(options.out, options.resume, options.overwrite), options.parquet == "maps"
    for files in (BLOCKS, FILES):
        policy.check(files)
    listed = options.named()
    with connected(options.on) as ray:
        spread = plan(ray, options.device, options.workers, options.gpus)
        asked = job("cpu" if options.device == "auto" and not spread.gpus else options.device)
        facts = facts_there(ray, asked, spread.gpus)
        together, rows = sizes(options.batch_size, maps)
        settings = facts.settings | {"parquet": options.parquet or "rows", "block": rows}
        blocks = BlockFolder(policy, settings, rows, options.store)
        with blocks as folder, progress("images") as bar:
            options.begin()
            task = bar.add_task("scoring", total=None if listed is None else len(listed))
            engine = Engine(ray, asked, facts, spread, maps)
            images = options.images() if listed is None else listed
            counts = run(engine, images, folder, together, lambda number: options.advance(bar, task, number))
    _summarise(counts, options.shown("predictions.parquet"), spread.workers, not facts.findings)
    if counts["failed"] and not counts["scored"] + counts["kept"]:
        raise typer.Exit(1)


def _check(options: PredictOptions) -> None:
    """Refuse what a cluster does not do.

    Raises:
        ConfigError: It was asked for.
    """
    own, findings = options.anomalies, options.findings
    refuse(
        "a run with --on, which writes a Parquet table",
        compile=own.compile or None,
        batch_reference=own.batch_reference or None,
        normals_folder=own.normals_folder,
        dicom=findings.dicom,
        **own.saved(),
    )
    if own.normals:
        raise ConfigError("--normals: fit a model first (zerosight fit), and give it with --model")
    if findings.write:
        raise ConfigError("--write-descriptions: write them first (zerosight anchors), for --descriptions")
    if options.on_error == "stop":
        raise ConfigError("--on-error: with --on an image that cannot be read is a row; leave it out")


def _summarise(counts: dict[str, int], table: str, workers: int, judged: bool) -> None:
    """Tell what was done."""
    parts = [f"{counts['scored']} images scored by {workers} worker{'s' if workers > 1 else ''}"]
    parts += [f"{counts['anomalous']} anomalous"] if judged else []
    parts += [f"{counts['failed']} could not be read"] if counts["failed"] else []
    parts += [f"{counts['kept']} were there"] if counts["kept"] else []
    messages.print(", ".join(parts))
    messages.print(f"results: {table}", soft_wrap=True)
    if not judged:
        messages.print("research use only: not a medical device, not for diagnosis")

"""The images of a run: portion by portion through Ray Data, block by block to the disk.

The list is read here, as a local run reads it, and goes to the cluster in *waves*, so that it is never held
as a whole; only names go there and only rows come back, which are written here: the machines need no folder
in common with this one, but that of the images. What Ray Data does: it keeps as many portions under way as
its memory allows, gives the work of a machine that is lost to another one, and starts lost actors again.
An image that ends every process that reads it ends its portion, too; such a portion is done again image by
image, and what is then still lost is a failure like any other.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from types import ModuleType
from typing import Any

from zerosight.report.parquet import row_of, schema_of
from zerosight.runtimes.packages import require
from zerosight.scale.blocks import Block, BlockFolder
from zerosight.scale.cluster import ClusterError, Plan, reason_of
from zerosight.scale.work import Facts, Job, Row, Scorer, answer, as_bytes, portion, read_portion
from zerosight.types import Failure

TOGETHER = 64
"""Images of a portion, about: a whole number of batches."""
ROWS, ROWS_WITH_MAPS = 1024, 64
"""Images of a block, about: a whole number of portions."""
RETRIES = 3
"""How often a portion whose worker was lost is begun again; Ray Data itself would never give up."""
WAVE = 16 * 1024
"""Images per model that are handed to Ray Data at once; models are loaded anew for each wave."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What does the work.

    Attributes:
        ray: The connected package.
        job: What is asked of every image.
        facts: What is known of its model.
        plan: How the work is spread.
        maps: Whether rows hold maps.
    """

    ray: ModuleType
    job: Job
    facts: Facts
    plan: Plan
    maps: bool = False


def sizes(batch_size: int, maps: bool) -> tuple[int, int]:
    """Return the images of a portion and of a block.

    >>> sizes(8, False), sizes(24, False), sizes(8, True)
    ((64, 1024), (48, 1008), (64, 64))
    """
    images = batch_size * max(1, TOGETHER // batch_size)
    return images, images * max(1, (ROWS_WITH_MAPS if maps else ROWS) // images)


class _Wave:
    """Blocks that are under way together.

    Args:
        blocks: Those with something to do.
        folder: Where to write them.
        counts: Of the whole run.
        advance: Told how many images are done since it was last called.
    """

    def __init__(
        self, blocks: list[Block], folder: BlockFolder, counts: dict[str, int], advance: Callable[[int], None]
    ) -> None:
        self.blocks = {block.number: block for block in blocks}
        self.folder, self.counts, self.advance = folder, counts, advance

    def take(self, answers: Iterable[Row]) -> set[tuple[int, int]]:
        """Take what comes back, write the blocks that are whole, and return which portions came.

        Raises:
            ClusterError: The model cannot be loaded or is unsound there.
            OutputError: A block cannot be written.
        """
        came = set()
        for one in answers:
            if one["stop"]:
                raise ClusterError(f"--on: on a machine of the cluster: {one['stop']}")
            block = self.blocks[one["block"]]
            block.tables.append(one["table"])
            block.missing -= one["images"]
            block.failed += one["failed"]
            block.marked += one["marked"]
            self.counts["scored"] += one["images"] - one["failed"]
            self.counts["failed"] += one["failed"]
            self.counts["anomalous"] += one["marked"]
            if not block.missing:
                self.folder.write(block)
                block.tables, block.kept = [], None
            self.advance(one["images"])
            came.add((one["block"], one["first"]))
        return came


def run(
    engine: Engine,
    images: Iterable[Any],
    folder: BlockFolder,
    together: int,
    advance: Callable[[int], None] = lambda images: None,
) -> dict[str, int]:
    """Score images in a cluster and write them.

    Args:
        engine: What does the work.
        images: In their order; read lazily.
        folder: Where to write.
        together: Images of a portion.
        advance: Told how many images are done since it was last called.

    Returns:
        How many were ``scored``, ``anomalous``, ``failed``, and ``kept`` of an earlier run.

    Raises:
        ClusterError: The cluster was lost, or the model cannot be loaded or is unsound there; what was
            written is kept.
        OutputError: A block cannot be written; the blocks before are kept.
    """
    counts = {"scored": 0, "anomalous": 0, "failed": 0, "kept": 0}
    blocks, number = folder.blocks(images), 0
    while wave := list(islice(blocks, max(1, WAVE * engine.plan.workers // folder.size))):
        number += len(wave)
        for block in wave:
            kept = len(block.sources) - len(block.todo)
            counts["kept"] += kept
            advance(kept)
            if not block.todo and block.kept is not None:  # rows of images that are no longer listed go
                folder.write(block)
        todo = [block for block in wave if block.todo]
        if todo:
            _do(engine, _Wave(todo, folder, counts, advance), together)
    folder.cut(number)
    return counts


def _do(engine: Engine, wave: _Wave, together: int) -> None:
    """Do a wave: by portion, then what was lost image by image; what is lost even so is a failure."""
    whole = [
        (block.number, first, block.todo[first : first + together])
        for block in wave.blocks.values()
        for first in range(0, len(block.todo), together)
    ]
    came = wave.take(_answers(engine, whole))
    single = [
        (number, first + i, [source])
        for number, first, sources in whole
        if (number, first) not in came
        for i, source in enumerate(sources)
    ]
    if not single:
        return
    alone = wave.take(_answers(engine, single))
    if not came and not alone:
        raise ClusterError("--on: every worker was lost, whatever it was given; see Ray's logs")
    wave.take(
        _lost(engine, number, first, source)
        for number, first, [source] in single
        if (number, first) not in alone
    )


def _lost(engine: Engine, number: int, first: int, source: str) -> Row:
    """Return the answer about an image that no worker survived."""
    schema = schema_of(engine.facts.findings)
    said = Failure(source, f"{source}: every worker that read it was lost; see Ray's logs")
    row = as_bytes([row_of(said.to_dict(), said, schema.names)], schema)
    return answer(portion(number, first, [source]), images=1, failed=1, table=row)


def _answers(engine: Engine, portions: list[tuple[int, int, list[str]]]) -> Iterator[Row]:
    """Yield what comes back from the cluster, in the order in which it does.

    Raises:
        ClusterError: The cluster was lost.
    """
    ray = engine.ray
    rows = [portion(*one) for one in portions]
    about = (engine.job, engine.facts, engine.plan, engine.maps)
    try:
        if not ray.util.client.ray.is_connected():
            yield from stream(*about, rows)
            return
        away = ray.remote(num_cpus=0)(Away).remote(*about, rows)  # Ray Data cannot be driven by a client
        while (row := ray.get(away.next.remote())) is not None:
            yield row
    except (ray.exceptions.RayError, ConnectionError) as error:
        raise ClusterError(
            f"--on: the cluster was lost ({reason_of(error)}); what was written is kept, go on with --resume"
        ) from None


class Away:
    """Drives Ray Data in the cluster for one who is connected as a client.

    Args:
        about: As of :func:`stream`, with its portions.
    """

    def __init__(self, *about: Any) -> None:
        self.rows = stream(*about)

    def next(self) -> Row | None:
        """Return the next answer; None after the last."""
        return next(self.rows, None)


def stream(job: Job, facts: Facts, plan: Plan, maps: bool, rows: list[Row]) -> Iterator[Row]:
    """Yield what comes back about portions; those whose worker was lost again and again do not."""
    require("ray", "ray")
    data = require("ray.data", "ray")
    context = data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    given = data.from_items(rows, override_num_blocks=len(rows))
    reading = data.TaskPoolStrategy(size=plan.readers)
    asked = {"num_cpus": plan.cpus, "num_gpus": plan.gpus or None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # how often to try again is asked in a way that will change in 2.64
        read = given.map(
            read_portion,
            fn_kwargs={"preprocess": facts.preprocess},
            num_cpus=0,
            compute=reading,
            max_retries=RETRIES,
        )
        scored = read.map(
            Scorer,
            fn_constructor_args=(job, facts, maps),
            compute=data.ActorPoolStrategy(size=plan.workers),
            max_task_retries=RETRIES,
            **asked,
        )
    yield from scored.iter_rows()

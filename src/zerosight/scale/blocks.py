"""Blocks: images in the order of their list, some thousand at a time, each block one part of a Parquet table.

A folder of results holds::

    predictions.parquet/part-000000.parquet   a row per image of the first block, in order; …
    blocks.jsonl                              a line per block: how many images, failures, anomalies
    run.json                                  the settings of the run

A run that goes on keeps the rows that are still true: those of images that were scored, belong to the same
block as before, and were not replaced. A block of which every row is true is skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

from zerosight.data.ahead import read_ahead
from zerosight.errors import OutputError
from zerosight.identity import holds
from zerosight.journal import JournalFiles, LineJournal, ResumePolicy, of_json
from zerosight.report.parquet import Parts, as_utf8
from zerosight.report.rows import CSV
from zerosight.report.writer import BLOCKS as LINES
from zerosight.report.writer import FILES
from zerosight.stores import place

BLOCKS = JournalFiles(
    LINES, FILES.settings, held="results already; resume or overwrite them (--resume, --overwrite)"
)
_LOOKERS = 32  # stores are asked about so many images at a time


@dataclass(slots=True)
class Block:
    """One block while it is worked on.

    Attributes:
        number: From 0.
        sources: All of its images, in order.
        todo: Those that have no true row.
        kept: Rows of the others, as a table; None if there are none.
        tables: Rows that came back, as Arrow streams.
        missing: Images that are still to come.
        failed: Images so far that could not be read.
        marked: Anomalous ones so far.
    """

    number: int
    sources: list[str]
    todo: list[str]
    kept: Any = None
    tables: list[bytes] = field(default_factory=list)
    missing: int = 0
    failed: int = 0
    marked: int = 0


class BlockFolder:
    """A folder of results by block; a context manager that lets other runs in at the end.

    Args:
        policy: Where, and what to do about results that are there.
        settings: What results depend on, as JSON values.
        size: Images of a block.
        store: Address of the results where they are sent to a store; the parts are written there.

    Raises:
        OutputError: The folder cannot be written, holds results about which nothing is said, or results of
            other settings, or another run writes there.
    """

    def __init__(
        self, policy: ResumePolicy, settings: Mapping[str, Any], size: int, store: str | None = None
    ) -> None:
        assert policy.folder is not None
        out = policy.folder
        policy.check(FILES)
        if policy.resume and not policy.overwrite and (out / FILES.lines).exists():
            raise OutputError(
                f"{out}: was begun without --on; go on without it, use another folder, or --overwrite"
            )
        self.size = size
        self._parts = Parts(out, store)
        self._lines = LineJournal(
            policy, settings, BLOCKS, of_json(dict), before_clearing=lambda: _clear(out, self._parts)
        )
        self._lines.open()
        self._there = set(self._parts.numbers())

    def __enter__(self) -> BlockFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()

    def blocks(self, images: Iterable[Path | str]) -> Iterator[Block]:
        """Yield the images by block, with what is still true of each."""
        rest = iter(images)
        for number in range(10**9):
            sources = list(dict.fromkeys(str(image) for image in islice(rest, self.size)))
            if not sources:
                break
            yield self._block(number, sources)

    def _block(self, number: int, sources: list[str]) -> Block:
        """Return a block with the rows that are still true."""
        if number not in self._there:
            return Block(number, sources, sources, missing=len(sources))
        import pyarrow

        known = ["source", "stamp", "error"]
        table = self._parts.read(number, known)
        named = {as_utf8(source): source for source in sources}
        rows = list(zip(*(table[name].to_pylist() for name in known), strict=True))

        def is_true(row: tuple[str, str | None, str | None]) -> bool:
            source, kept, error = row
            if source not in named or error is not None or kept is None:
                return False
            return holds(kept, place(named[source]))

        true = list(read_ahead(rows, is_true, _LOOKERS, ahead=4 * _LOOKERS))
        found = {row[0] for row, is_kept in zip(rows, true, strict=True) if is_kept}
        todo = [source for source in sources if as_utf8(source) not in found]
        if not todo and len(found) == len(rows):
            return Block(number, sources, [])
        kept = self._parts.read(number).filter(pyarrow.array(true))
        return Block(number, sources, todo, kept, missing=len(todo))

    def write(self, block: Block) -> None:
        """Write a block of which all rows are there.

        Raises:
            OutputError: It cannot be written; the blocks before are kept.
        """
        import pyarrow

        tables = [pyarrow.ipc.open_stream(table).read_all() for table in block.tables]
        whole = pyarrow.concat_tables([*tables, *([] if block.kept is None else [block.kept])])
        places = {source: i for i, source in enumerate(whole["source"].to_pylist())}
        whole = whole.take([places[as_utf8(source)] for source in block.sources])
        self._parts.write(block.number, whole)
        counts = {"images": len(whole), "failed": block.failed, "anomalous": block.marked}
        self._lines.add({"block": block.number} | counts)

    def cut(self, blocks: int) -> None:
        """Remove the parts of a longer list that was there before.

        Raises:
            OutputError: One cannot be removed.
        """
        self._parts.remove(sorted(number for number in self._there if number >= blocks))


def _clear(out: Path, parts: Parts) -> None:
    """Remove the results of an earlier run of either kind that --overwrite gives up."""
    parts.remove(parts.numbers())
    for name in (FILES.lines, CSV, "report.html"):
        (out / name).unlink(missing_ok=True)

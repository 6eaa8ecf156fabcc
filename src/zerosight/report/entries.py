"""Entries: the images of a report with what was saved of them, as its page shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from urllib.parse import quote

from zerosight.data.ahead import Room, read_ahead
from zerosight.predict.reading import READERS
from zerosight.report.formats import ResultFormat, ScoredLine
from zerosight.report.page import thumbnail

MAX_ROWS = 5000
"""Most images a page lists; the folder's table has all."""

_THUMBNAIL_SIDE = 448


@dataclass(frozen=True, slots=True)
class Entry:
    """One image of the page.

    Attributes:
        rank: 1 for the first.
        row: Its result.
        name: File name, shown first.
        folder: The rest of its source.
        thumbnails: Small pictures as data URIs, by kind; empty beyond the first images.
        links: Addresses of the saved full-size pictures relative to the page, by kind.
    """

    rank: int
    row: ScoredLine
    name: str
    folder: str
    thumbnails: dict[str, str]
    links: dict[str, str]


def entries(
    out: Path | str, rows: Sequence[ScoredLine], layout: ResultFormat, pictured: int
) -> Iterator[Entry]:
    """Yield the rows in their order, the first ``pictured`` ones with pictures, which threads make small.

    Args:
        out: The folder of results, or their address in a store.
        rows: The rows to show.
        layout: How the folder is laid out.
        pictured: How many get pictures.
    """
    room = Room()

    def entry(numbered: tuple[int, ScoredLine]) -> Entry:
        rank, row = numbered
        # a line might name any file: only the last part counts
        names = {kind: PurePath(file).stem for kind, file in row.files.items() if layout.is_shown(kind)}
        paths = {kind: layout.place(kind, name) for kind, name in names.items()}
        shown = paths if rank <= pictured else {}
        drawn = {kind: path for kind, path in shown.items() if not path.endswith(".dcm")}
        pictures = {kind: thumbnail(f"{out}/{path}", _THUMBNAIL_SIDE, room) for kind, path in drawn.items()}
        source = PurePath(row.source)
        return Entry(
            rank=rank,
            row=row,
            name=source.name or row.source,
            folder="" if str(source.parent) == "." else str(source.parent),
            thumbnails={kind: uri for kind, uri in pictures.items() if uri},
            links={kind: quote(path, errors="replace") for kind, path in paths.items()},
        )

    return read_ahead(enumerate(rows, start=1), entry, READERS, ahead=READERS)

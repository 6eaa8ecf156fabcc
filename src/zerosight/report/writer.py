"""Writer: results on disk as soon as they are known, so that an interrupted run keeps what it did.

A folder of results holds::

    predictions.jsonl   one line per image, on disk before the next image is written; the record of the run
    predictions.csv     the same as a table, written at the end, even of an interrupted run
    run.json            the settings of the run, if it was given any
    predictions.parquet the same as parts of a table, if asked for: :mod:`zerosight.report.parquet`
    previews/NAME.jpg   the photo, small, for the report
    normals/NAME.png    a region and the nearest patch of normal images, where these are at hand
    …/NAME.png          what the format draws: heatmaps and outlines, or a folder of maps per finding

A line is written after its pictures, so every picture that a line names is there. Pictures of several images
are drawn at once, on threads, while the model goes on (:meth:`ResultWriter.written`); lines are written in
order by one thread alone. A line holds the stamp of the
file it is about: an image that was replaced since is scored again when the run is gone on with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar

from PIL import Image

from zerosight.data.ahead import read_ahead
from zerosight.errors import OutputError
from zerosight.files import inside, replacing, sweep
from zerosight.identity import holds, seal, stamp
from zerosight.journal import JournalFiles, LineJournal, ResumePolicy, unwritable
from zerosight.predict.reading import READERS, Scored
from zerosight.report.findings import FindingFormat
from zerosight.report.formats import AnomalyFormat, ResultFormat, Savable, safe_name, save
from zerosight.report.parquet import ParquetParts, Parts
from zerosight.report.rows import CSV, PREDICTIONS, FailedRow, final_rows, read_rows
from zerosight.stores import place
from zerosight.types import Failure, FindingPrediction, Prediction

R = TypeVar("R", Prediction, FindingPrediction)
AHEAD = 16
"""Results that may wait to be drawn; fewer of large images, see :data:`zerosight.data.ahead.HELD`."""
BLOCKS = "blocks.jsonl"
"""What a run on a cluster keeps instead of lines: see :mod:`zerosight.scale.blocks`."""
FILES = JournalFiles(
    PREDICTIONS,
    "run.json",
    (CSV, "report.html", BLOCKS),
    held="results already; resume or overwrite them (--resume, --overwrite)",
)


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """A picture beside those that the format draws.

    Attributes:
        kind: What to call it, in the line and among the files.
        picture: The picture.
        facts: What it shows, as JSON values.
    """

    kind: str
    picture: Image.Image
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class _Noted:
    """A result that is to be written.

    Attributes:
        scored: The result, and its image where pictures are to be made.
        stamp: Of its file before it was read.
        name: Of its pictures; empty where there are none.
    """

    scored: Scored[Any]
    stamp: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """A result whose pictures are saved.

    Attributes:
        result: The result.
        values: The line about it.
        row: The row of a Parquet table, if there is one.
    """

    result: Any
    values: dict[str, Any]
    row: dict[str, Any] | None


class ResultWriter:
    """Appends results to a folder; a context manager that finishes the folder however the run ends.

    Attributes:
        out: The folder.
        done: Sources with a prediction on disk. Failures are not among them: resuming tries them again, and
            the last line about a source counts. See :meth:`is_done` for those of another image.
    """

    def __init__(
        self,
        out: Path,
        *,
        resume: bool = False,
        overwrite: bool = False,
        settings: Mapping[str, Any] | None = None,
        format: ResultFormat | None = None,
        parquet: Literal["rows", "maps"] | None = None,
        store: str | None = None,
    ) -> None:
        """Open the folder, and make it if it is not there.

        Args:
            out: The folder; files in it that are no results are left alone.
            resume: Continue the results that are there; a last line cut in the middle is dropped.
            overwrite: Remove the results that are there.
            settings: What the results depend on (model, thresholds), as JSON values. Results are only
                continued with the settings they were begun with.
            format: What kind of predictions these are; anomalies unless told otherwise.
            parquet: Also write parts of a Parquet table, with or without maps.
            store: Address of the results where they are sent to a store; the parts are written there.

        Raises:
            MissingExtraError: Parquet is asked for, and pyarrow is not installed.
            OutputError: The folder cannot be written, or holds results and neither flag says what to do, or
                holds results of other settings.
        """
        if (out / BLOCKS).exists() and not overwrite:
            raise OutputError(
                f"{out}: was begun with --on; go on with it, overwrite the results, or use another folder"
            )
        self.out = out
        parts = Parts(out, store)
        self.format: ResultFormat = format or AnomalyFormat()
        self.done: set[str] = set()
        self._names: dict[str, str] = {}  # of the pictures, without case → source
        self._is_open = True
        self._drawing: Generator[_Drawn, None, None] | None = None
        self._stamps: dict[str, str] = {}  # source → stamp of what its line is about, or will be
        with _writing(out):
            policy = ResumePolicy(out, resume, overwrite)
            self._lines = LineJournal(
                policy, settings or {}, FILES, self.format.parse, before_clearing=lambda: self._clear(parts)
            )
            self._lines.open()
            sweep(out, "", "*/", "maps/*/", "dicom/*/")
        for row in self._lines.found:
            if not isinstance(row, FailedRow):
                self.done.add(row.source)
                self._stamps[row.source] = row.stamp
                self._names.update((Path(file).stem.casefold(), row.source) for file in row.files.values())
        self._lines.found.clear()
        self._parts: ParquetParts | None = None
        if parquet:
            try:
                findings = isinstance(self.format, FindingFormat)
                self._parts = ParquetParts(parts, findings=findings, maps=parquet == "maps")
            except BaseException:
                self._lines.close()
                raise

    def __enter__(self) -> ResultWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            with suppress(OutputError):  # the first error is the one to tell
                self.close()

    def is_done(self, source: str) -> bool:
        """Return whether the folder holds a prediction of this very image; ask before it is read.

        Args:
            source: As in :class:`zerosight.types.Prediction`.
        """
        path = place(source)
        written = self._parts is None or source in self._parts
        if source in self.done and written and holds(self._stamps[source], path):
            return True
        self.done.discard(source)
        self._stamps[source] = stamp(path)
        return False

    def add(
        self,
        result: Prediction | FindingPrediction | Failure,
        image: Image.Image | None = None,
        beside: Beside | None = None,
    ) -> None:
        """Write one result.

        Args:
            result: The prediction, or why there is none.
            image: The photo at the prediction's size, for the pictures; without it none are made.
            beside: One more picture, and what it shows.

        Raises:
            OutputError: It cannot be written; everything added before is kept.
        """
        noted = self._noted(Scored(image, result), image is not None)
        self._record(self._drawn(noted, lambda _: beside))

    def written(
        self,
        found: Iterable[Scored[R]],
        pictured: bool = True,
        beside: Callable[[Scored[R]], Beside | None] = lambda _: None,
    ) -> Iterator[R | Failure]:
        """Write results as they come, and yield each when it is on disk.

        While the next ones are found, pictures are drawn and files are hashed on threads, of a few results at
        once. Closing the writer ends it.

        Args:
            found: Images with what was found in them, read lazily.
            pictured: Whether to make pictures where the format has any; of an image that did not wait it is
                read again.
            beside: Returns one more picture of an image, and what it shows; called on other threads.

        Raises:
            OutputError: A result cannot be written; everything yielded before is kept.
        """

        def note(scored: Scored[R]) -> _Noted:
            return self._noted(scored, pictured)

        def draw(noted: _Noted) -> _Drawn:
            scored = noted.scored.with_photo() if noted.name else replace(noted.scored, image=None)
            return self._drawn(replace(noted, scored=scored), beside)

        self._drawing = read_ahead(map(note, found), draw, READERS, AHEAD, cost=_cost)
        for one in self._drawing:
            self._record(one)
            yield one.result
            del one  # or its map would be held while the next one is made

    def _noted(self, scored: Scored[Any], pictured: bool) -> _Noted:
        """Return a result with what depends on those before it."""
        if isinstance(scored.result, Failure):
            return _Noted(scored)
        source = scored.result.source
        known = self._stamps.get(source) or stamp(place(source))
        drawn = pictured and self.format.draws(scored.result)
        return _Noted(scored, known, self._picture_name(source) if drawn else "")

    def _drawn(self, noted: _Noted, beside: Callable[[Scored[Any]], Beside | None]) -> _Drawn:
        """Return the line about a result, after saving its pictures."""
        result, image = noted.scored.result, noted.scored.image
        values = result.to_dict()
        if not isinstance(result, Failure):
            values["stamp"] = seal(noted.stamp, place(result.source))
            if image is not None:
                photo = image if image.mode == "RGB" else image.convert("RGB")
                pictures = self.format.pictures(result, photo)
                if (also := beside(noted.scored)) is not None:
                    pictures = chain(pictures, [(also.kind, also.picture)])
                    values[also.kind] = dict(also.facts)
                values["files"] = self._save_pictures(noted.name, pictures)
        row = self._parts.row(values, result) if self._parts is not None else None
        return _Drawn(result, values, row)

    def _record(self, drawn: _Drawn) -> None:
        """Put the line about a result on disk."""
        self._lines.add(drawn.values)
        if self._parts is not None and drawn.row is not None:
            self._parts.add(drawn.row)
        if not isinstance(drawn.result, Failure):
            self._stamps[drawn.result.source] = drawn.values["stamp"]
            self.done.add(drawn.result.source)

    def close(self) -> None:
        """Write the table; closing twice does nothing more.

        Raises:
            OutputError: The table cannot be written.
        """
        if not self._is_open:
            return
        self._is_open = False
        if self._drawing is not None:
            self._drawing.close()
        with _writing(self.out / CSV):
            try:
                if self._parts is not None:
                    self._parts.close()
            finally:
                self._lines.close()
            self.format.write_table(self.out / CSV, final_rows(self.out / PREDICTIONS, self.format.parse))

    def _save_pictures(self, name: str, pictures: Iterable[tuple[str, Savable]]) -> dict[str, str]:
        """Save the pictures of one image under a name and return their paths in the folder, by kind."""
        files: dict[str, str] = {}
        for kind, picture in pictures:
            files[kind] = self.format.place(kind, name)
            with replacing(self._place(files[kind]), "what was written before is kept") as temporary:
                save(picture, temporary)
            del picture  # or it would be held while the next one is drawn
        return files

    def _picture_name(self, source: str) -> str:
        """Return a file name for the source that no other source of the folder has."""
        name = safe_name(source)
        if self._names.setdefault(name.casefold(), source) != source:
            name += "-" + hashlib.sha256(source.encode(errors="surrogatepass")).hexdigest()[:8]
            self._names[name.casefold()] = source
        return name

    def _clear(self, parts: Parts) -> None:
        """Remove the parts and pictures of an earlier run, and nothing else."""
        parts.remove(parts.numbers())
        path = self.out / PREDICTIONS
        with suppress(OutputError):  # of damaged lines, or of none: they are to go as well
            for row, _ in read_rows(path, self.format.parse):
                for kind, file in row.files.items() if not isinstance(row, FailedRow) else ():
                    if file == self.format.place(kind, Path(file).stem):  # a line might name any file
                        with suppress(OutputError):  # of a folder that is a link: it is not ours
                            self._place(file).unlink(missing_ok=True)

    def _place(self, file: str) -> Path:
        """Return the path of a picture, whose folder is no link; the picture itself may be replaced."""
        return inside(self.out, Path(file).parent) / Path(file).name


def _cost(noted: _Noted) -> int:
    """Return the bytes of a result's maps, and those of its photo and of a picture of the same size."""
    result, image = noted.scored.result, noted.scored.image
    if isinstance(result, Failure):
        return 0
    maps = [result.anomaly_map] if isinstance(result, Prediction) else result.maps.values()
    height, width = noted.scored.size or ((image.height, image.width) if image else (0, 0))
    return sum(one.nbytes for one in maps) + 2 * 4 * height * width


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn the system's refusal to write into one line."""
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from None

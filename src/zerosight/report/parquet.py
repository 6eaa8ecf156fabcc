"""Parquet: results as a folder of parts, beside the lines, for engines that read tables.

    predictions.parquet/part-000000.parquet   a row per image, up to 10,000 of them or 64 MB of maps
    predictions.parquet/part-000001.parquet   …

A part is there as a whole or not at all; it lies in a folder, or in a store. What was not yet in one when
a run was killed is scored again when the run is gone on with; a row about an image that was scored again
takes the place of the one before. Each image has one row, whether it was scored or not; ``error`` is null
where it was.

Columns of anomalies: ``source, score, is_anomalous, threshold, pixel_threshold, width, height, regions`` (a
list of ``box, area, peak``), ``is_familiar, stamp, error, map``. Of findings: ``source, mode, provenance,
findings`` (a list of ``name, score, probability, threshold, is_present, no_map``), ``is_familiar, limitation,
stamp, error, maps`` (a list of ``name, map``). A map is a PNG of 16 bits at the image's size: 0 is 0, 65,535
is 1; null unless asked for.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32
from PIL import Image

from zerosight.errors import MissingExtraError, OutputError
from zerosight.files import inside, replacing, sweep
from zerosight.stores import MissingError, StoreError, look, put, remove, walk
from zerosight.types import Failure, FindingPrediction, Prediction

PARTS = "predictions.parquet"
MOST_ROWS, MOST_BYTES = 10_000, 64 * 10**6
_NAME = re.compile(r"part-([0-9]{6,})\.parquet")


class Parts:
    """The parts of a table by number, from 0.

    Args:
        out: The folder of results.
        store: Address of the results where they lie in a store; the folder has no parts then.

    Raises:
        OutputError: The parts' folder is a link.
    """

    def __init__(self, out: Path, store: str | None = None) -> None:
        self._folder = inside(out, PARTS)
        self._store = None if store is None else f"{store}/{PARTS}"
        sweep(self._folder, "")

    def place(self, number: int) -> Path | str:
        """Return the file or address of a part."""
        name = f"part-{number:06d}.parquet"
        return self._folder / name if self._store is None else f"{self._store}/{name}"

    def numbers(self) -> list[int]:
        """Return those of the parts that are there, in order.

        Raises:
            StoreError: The store cannot be asked.
        """
        names = [path.name for path in self._folder.glob("part-*.parquet")]
        if self._store is not None:
            try:
                names = [address.rsplit("/", 1)[-1] for address in walk(f"{self._store}/")]
            except MissingError:
                return []
        return sorted(int(found[1]) for found in map(_NAME.fullmatch, names) if found)

    def read(self, number: int, columns: list[str] | None = None) -> Any:
        """Return a part as a table of these columns, of all by default; of a store no others are fetched.

        Raises:
            OutputError: It cannot be read.
            StoreError: The store cannot be read.
        """
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile

        path = self.place(number)

        def read(file: Any) -> Any:
            with ParquetFile(file) as part:
                return part.read(columns)

        try:
            return look(path, read) if isinstance(path, str) else read(path)
        except (OSError, ArrowException, KeyError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0][:80]
            raise OutputError(
                f"{path}: cannot be read ({reason}); remove it, overwrite the results, or use another folder"
            ) from None

    def write(self, number: int, table: Any) -> None:
        """Write a table as a part, the whole of it or nothing.

        Raises:
            OutputError: It cannot be written.
        """
        from pyarrow.parquet import write_table

        path = self.place(number)
        if isinstance(path, str):
            content = io.BytesIO()
            write_table(table, content, compression="zstd")
            try:
                put(path, content.getvalue())
            except StoreError as error:
                raise OutputError(f"{error}; the parts before are kept, go on with --resume") from None
            return
        with replacing(path, "the parts before are kept") as temporary:
            write_table(table, temporary, compression="zstd")

    def remove(self, numbers: Iterable[int]) -> None:
        """Remove parts, and nothing else.

        Raises:
            OutputError: One cannot be removed.
        """
        paths = [self.place(number) for number in numbers]
        try:
            remove([path for path in paths if isinstance(path, str)])
            for path in paths:
                if isinstance(path, Path):
                    path.unlink(missing_ok=True)
        except (OSError, StoreError) as error:
            raise OutputError(f"{self.place(0)}: parts cannot be removed ({error})") from None


class ParquetParts:
    """Rows that gather, and the parts that they are written in; call :meth:`close` in the end.

    Args:
        parts: Those that are there; one run at a time writes there.
        findings: Whether the rows are about findings, and not about anomalies.
        maps: Whether rows hold maps.

    Raises:
        MissingExtraError: pyarrow is not installed.
        OutputError: A part that is there cannot be read.
    """

    def __init__(self, parts: Parts, *, findings: bool = False, maps: bool = False) -> None:
        self._parts = parts
        self._maps = maps
        self._schema = schema_of(findings)
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0
        self._where: dict[str, int | None] = {}  # source → part, None of one that is not yet in any
        self._stale: dict[int, set[str]] = {}
        known = parts.numbers()
        for number in known:
            for source in parts.read(number, ["source"])["source"].to_pylist():
                self._note(source, number)
        self._next = max(known, default=-1) + 1

    def __contains__(self, source: object) -> bool:
        return self._where.get(as_utf8(str(source))) is not None

    def row(
        self, values: Mapping[str, Any], result: Prediction | FindingPrediction | Failure
    ) -> dict[str, Any]:
        """Return one row, its maps encoded; threads may make several at once.

        Args:
            values: The line about the image, as in ``predictions.jsonl``.
            result: What the line was made of.
        """
        return row_of(values, result, self._schema.names, self._maps)

    def add(self, row: dict[str, Any]) -> None:
        """Add one row.

        Raises:
            OutputError: The part that is full by now cannot be written; the parts before are kept.
        """
        source = row["source"]
        if source in self._where and self._where[source] is None:  # twice among the images of one run
            self._rows = [one for one in self._rows if one["source"] != source]
        self._rows.append(row)
        self._note(source, None)
        self._bytes += sum(map(len, (one["map"] for one in row.get("maps") or [row] if one.get("map"))))
        if len(self._rows) >= MOST_ROWS or self._bytes >= MOST_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what has gathered as one part, and drop from earlier ones what it replaces.

        Raises:
            OutputError: It cannot be written; the parts before are kept.
        """
        import pyarrow

        if self._rows:
            self._parts.write(self._next, pyarrow.Table.from_pylist(self._rows, self._schema))
            self._where.update((row["source"], self._next) for row in self._rows)
            self._next += 1
            self._rows, self._bytes = [], 0
        for number, sources in self._stale.items():
            table = self._parts.read(number)
            kept = [source not in sources for source in table["source"].to_pylist()]
            self._parts.write(number, table.filter(pyarrow.array(kept)))
        self._stale.clear()

    close = flush

    def _note(self, source: str, part: int | None) -> None:
        """Keep in mind where the row about an image is, and that one before is not true any more."""
        before = self._where.get(source)
        if before is not None:
            self._stale.setdefault(before, set()).add(source)
        self._where[source] = part


def as_utf8(text: str) -> str:
    """Return a text that a column can hold: of a file's name, what is not UTF-8 is written as ``\\udcff``."""
    return text.encode(errors="backslashreplace").decode()


def row_of(
    values: Mapping[str, Any],
    result: Prediction | FindingPrediction | Failure,
    columns: Iterable[str],
    maps: bool = False,
) -> dict[str, Any]:
    """Return one row.

    Args:
        values: The line about the image, as in ``predictions.jsonl``.
        result: What the line was made of.
        columns: Names of the columns.
        maps: Whether the row holds maps.
    """
    given = {name: values.get(name) for name in columns}
    row = {name: as_utf8(one) if isinstance(one, str) else one for name, one in given.items()}
    found = {} if isinstance(result, Failure) or not maps else _maps(result)
    if isinstance(result, FindingPrediction):
        row["maps"] = [{"name": name, "map": content} for name, content in found.items()] or None
    elif found:
        row["map"] = found["map"]
    return row


def encode_map(values: Float32[np.ndarray, "height width"]) -> bytes:
    """Return a map in [0, 1] as a PNG of 16 bits.

    >>> encode_map(np.ones((2, 3), np.float32))[:4]
    b'\\x89PNG'
    """
    grey = np.empty(values.shape, np.uint16)
    for row, out in zip(values, grey, strict=True):
        out[:] = np.rint(row.clip(0, 1) * 65_535)
    content = io.BytesIO()
    Image.fromarray(grey).save(content, "PNG", compress_level=1)
    return content.getvalue()


def _maps(result: Prediction | FindingPrediction) -> dict[str, bytes]:
    maps = {"map": result.anomaly_map} if isinstance(result, Prediction) else result.maps
    return {name: encode_map(one) for name, one in maps.items()}


def schema_of(findings: bool) -> Any:
    """Return the columns, of findings or of anomalies.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
    except ImportError:
        raise MissingExtraError("Parquet needs pyarrow; run: pip install 'zerosight[parquet]'") from None
    if findings:
        numbers = [(name, pa.float64()) for name in ("score", "probability", "threshold")]
        finding = pa.struct(
            [("name", pa.string()), *numbers, ("is_present", pa.bool_()), ("no_map", pa.string())]
        )
        about = [("mode", pa.string()), ("provenance", pa.string()), ("findings", pa.list_(finding))]
        about += [("is_familiar", pa.bool_()), ("limitation", pa.string())]
        maps = ("maps", pa.list_(pa.struct([("name", pa.string()), ("map", pa.binary())])))
    else:
        region = pa.struct([("box", pa.list_(pa.int32(), 4)), ("area", pa.int64()), ("peak", pa.float64())])
        about = [("score", pa.float64()), ("is_anomalous", pa.bool_())]
        about += [("threshold", pa.float64()), ("pixel_threshold", pa.float64())]
        about += [("width", pa.int32()), ("height", pa.int32()), ("regions", pa.list_(region))]
        about += [("is_familiar", pa.bool_())]
        maps = ("map", pa.binary())
    ends = [("stamp", pa.string()), ("error", pa.string()), maps]
    return pa.schema([("source", pa.string()), *about, *ends])

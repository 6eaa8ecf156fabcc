"""Results written while the next ones are found: in order, few at once, and none lost by any ending."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from zerosight.errors import ImageReadError, OutputError
from zerosight.predict.reading import Scored
from zerosight.report.findings import FindingFormat
from zerosight.report.formats import AnomalyFormat, ResultFormat
from zerosight.report.writer import AHEAD, Beside, ResultWriter
from zerosight.types import Failure, FindingPrediction, FindingScore, Prediction

PHOTO = Image.new("RGB", (12, 8), "gray")
MAP = np.linspace(0, 1, 96, dtype=np.float32).reshape(8, 12)
FINDINGS = (FindingScore("mass", 0.5, 0.6, 0.4),)
KINDS: dict[str, tuple[Any, ResultFormat]] = {
    "anomalies": (Prediction("", 0.7, 0.5, 0.5, MAP, ()), AnomalyFormat()),
    "findings": (
        FindingPrediction("", FINDINGS, "pos-neg", "train-only", {"mass": MAP}),
        FindingFormat(["mass"]),
    ),
}
kinds = pytest.mark.parametrize("kind", KINDS)


@dataclass
class Watched:
    """A format that calls a function before it draws."""

    format: Any
    before: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.format, name)

    def pictures(self, result: Any, photo: Image.Image) -> Iterator[Any]:
        self.before(result.source)
        yield from self.format.pictures(result, photo)


def scored(kind: str, *sources: str) -> Iterator[Scored[Any]]:
    """Yield results about images; of those called bad, that there is none."""
    for source in sources:
        if source.startswith("bad"):
            yield Scored(None, Failure(source, f"{source}: is empty"))
        else:
            yield Scored(PHOTO, replace(KINDS[kind][0], source=source))


def lines(out: Path) -> list[dict[str, Any]]:
    """Return the lines of the folder's record."""
    return [json.loads(line) for line in (out / "predictions.jsonl").read_bytes().splitlines()]


def files(out: Path) -> dict[str, bytes]:
    """Return all that a folder holds but its lock."""
    found = (path for path in out.rglob("*") if path.is_file() and path.name != ".zerosight.lock")
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in found}


SOURCES = ("a/x.png", "bad.png", "b/x.png", "a/y.png", "a/x.png")


@kinds
def test_they_are_those_that_are_added_one_by_one(tmp_path: Path, kind: str) -> None:
    layout = KINDS[kind][1]
    with ResultWriter(tmp_path / "one", format=layout) as writer:
        for one in scored(kind, *SOURCES):
            writer.add(one.result, one.image)
    slow = Watched(layout, lambda source: time.sleep(0.05 if source == "a/x.png" else 0))
    with ResultWriter(tmp_path / "all", format=slow) as writer:
        for number, result in enumerate(writer.written(scored(kind, *SOURCES)), start=1):
            assert result.source == SOURCES[number - 1]
            assert len(lines(tmp_path / "all")) == number  # on disk before it is told
        assert writer.done == {"a/x.png", "b/x.png", "a/y.png"}
    assert files(tmp_path / "all") == files(tmp_path / "one")


@kinds
def test_pictures_are_drawn_while_the_next_results_are_found(tmp_path: Path, kind: str) -> None:
    found, waited, main = threading.Event(), [], threading.current_thread()

    def before(source: str) -> None:
        assert threading.current_thread() is not main
        if source == "first":
            waited.append(found.wait(20))

    def results() -> Iterator[Scored[Any]]:
        yield from scored(kind, "first")
        found.set()
        yield from scored(kind, "second")

    with ResultWriter(tmp_path, format=Watched(KINDS[kind][1], before)) as writer:
        assert len(list(writer.written(results()))) == 2
    assert waited == [True]


def test_few_results_wait(tmp_path: Path) -> None:
    taken: list[str] = []

    def results() -> Iterator[Scored[Any]]:
        for one in scored("anomalies", *map(str, range(100))):
            taken.append(one.result.source)
            yield one

    with ResultWriter(tmp_path) as writer:
        for number, _ in enumerate(writer.written(results()), start=1):
            assert len(taken) <= number + AHEAD


def test_a_large_photograph_is_drawn_before_the_next_result_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zerosight.data.ahead.HELD", 3 * MAP.nbytes - 1)
    asked: list[str] = []

    def results() -> Iterator[Scored[Any]]:
        for one in scored("anomalies", "a", "b", "c"):
            asked.append(one.result.source)
            yield one

    with ResultWriter(tmp_path) as writer:
        for result in writer.written(results()):
            assert asked[-1] == result.source


@kinds
def test_an_error_comes_in_its_turn_and_loses_nothing(tmp_path: Path, kind: str) -> None:
    def before(source: str) -> None:
        if source == "b":
            raise OSError(28, "No space left on device")

    told: list[str] = []

    def run() -> None:
        with ResultWriter(tmp_path, format=Watched(KINDS[kind][1], before)) as writer:
            for result in writer.written(scored(kind, "a", "b", "c", "d")):
                told.append(result.source)

    with pytest.raises(OSError, match="No space left"):
        run()
    assert told == ["a"]
    assert [line["source"] for line in lines(tmp_path)] == ["a"]


def test_a_picture_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "outlines").write_text("a file where the folder should be")
    told: list[str] = []

    def run() -> None:
        with ResultWriter(tmp_path) as writer:
            for result in writer.written(scored("anomalies", "bad", "x", "y")):
                told.append(result.source)

    with pytest.raises(OutputError, match=r"outlines/x\.png: cannot be written") as caught:
        run()
    assert str(caught.value).isprintable()
    assert told == ["bad"] == [line["source"] for line in lines(tmp_path)]


@pytest.mark.parametrize("error", [ImageReadError("c: is empty"), KeyboardInterrupt(), SystemExit(143)])
def test_what_was_told_is_kept_however_the_run_ends(tmp_path: Path, error: BaseException) -> None:
    def ending() -> Iterator[Scored[Any]]:
        yield from scored("anomalies", "a/x", "a/y", "b/x")
        raise error

    told: list[str] = []

    def run() -> None:
        with ResultWriter(tmp_path / "out") as writer:
            for result in writer.written(ending()):
                told.append(result.source)

    with pytest.raises(type(error)):
        run()
    if isinstance(error, Exception):  # the model's results before it are written as well
        assert told == ["a/x", "a/y", "b/x"]
    assert [line["source"] for line in lines(tmp_path / "out")] == told
    assert not list((tmp_path / "out").rglob(".*.part*"))
    with ResultWriter(tmp_path / "out", resume=True) as writer:
        rest = [source for source in ("a/x", "a/y", "b/x", "c") if not writer.is_done(source)]
        assert len(list(writer.written(scored("anomalies", *rest)))) == len(rest)
    with ResultWriter(tmp_path / "whole") as writer:
        for _ in writer.written(scored("anomalies", "a/x", "a/y", "b/x", "c")):
            pass
    assert files(tmp_path / "out") == files(tmp_path / "whole")


def test_closing_the_writer_ends_the_drawing(tmp_path: Path) -> None:
    drawn: list[str] = []

    def before(source: str) -> None:
        time.sleep(0.02)
        drawn.append(source)

    with ResultWriter(tmp_path, format=Watched(AnomalyFormat(), before)) as writer:
        results = writer.written(scored("anomalies", *map(str, range(100))))
        next(results)
    ended = len(drawn)
    time.sleep(0.1)
    assert len(drawn) == ended < 100
    assert not any(thread.name.startswith("read") for thread in threading.enumerate())


def test_a_photograph_that_did_not_wait_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    PHOTO.save(path)
    found = replace(KINDS["anomalies"][0], source=str(path))
    with ResultWriter(tmp_path / "out") as writer:
        same, other = writer.written([Scored(None, found, (8, 12)), Scored(None, found, (9, 9))])
    assert same is found
    assert isinstance(other, Failure)
    assert (tmp_path / "out" / "heatmaps" / "a.png").exists()
    with ResultWriter(tmp_path / "none") as writer:
        assert list(writer.written([Scored(None, found, (9, 9))], pictured=False)) == [found]
    assert not list((tmp_path / "none").glob("*/*"))


def test_a_picture_beside_is_written_with_its_facts(tmp_path: Path) -> None:
    with ResultWriter(tmp_path) as writer:
        beside = Beside("normal", PHOTO, {"source": "good.png"})
        list(writer.written(scored("anomalies", "x"), beside=lambda one: beside if one.image else None))
    [line] = lines(tmp_path)
    assert line["normal"] == {"source": "good.png"}
    assert (tmp_path / line["files"]["normal"]).exists()


@pytest.mark.parametrize("maps", ["rows", "maps"])
def test_rows_of_a_table_are_those_added_one_by_one(tmp_path: Path, maps: Any) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    with ResultWriter(tmp_path / "one", parquet=maps) as writer:
        for one in scored("anomalies", *SOURCES):
            writer.add(one.result)
    with ResultWriter(tmp_path / "all", parquet=maps) as writer:
        assert len(list(writer.written(scored("anomalies", *SOURCES), pictured=False))) == len(SOURCES)
    one, many = (parquet.read_table(tmp_path / name / "predictions.parquet") for name in ("one", "all"))
    assert many.equals(one)

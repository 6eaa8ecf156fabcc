"""The writer: what is on disk after every kind of ending, and whose results are never mixed or lost."""

from __future__ import annotations

import csv
import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from zerosight.errors import OutputError
from zerosight.identity import stamp
from zerosight.predict.reading import Scored
from zerosight.report.formats import AnomalyFormat
from zerosight.report.html import write_report
from zerosight.report.writer import ResultWriter, safe_name
from zerosight.types import Failure, Prediction, Region

PHOTO = Image.new("RGB", (12, 8), "gray")
MAP = np.zeros((8, 12), np.float32)
PREDICTION = Prediction("a/x.png", 0.7, 0.5, 0.5, MAP, (Region((0, 0, 2, 2), 4, 0.8),))
FAILURE = Failure("a/y.png", "a/y.png: is empty (0 bytes)")


def prediction(source: str) -> Prediction:
    """Return the prediction under another source."""
    return replace(PREDICTION, source=source)


def lines(out: Path) -> list[dict[str, Any]]:
    """Return the lines of the folder's record."""
    return [json.loads(line) for line in (out / "predictions.jsonl").read_bytes().splitlines()]


def pictures(out: Path) -> list[str]:
    """Return the pictures in the folder."""
    return sorted(str(path.relative_to(out)) for path in out.glob("*/*"))


def pixels(path: Path) -> np.ndarray:
    """Return what a picture holds."""
    with Image.open(path) as picture:
        return np.array(picture)


def test_results_are_on_disk_as_they_come(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    with ResultWriter(out) as writer:
        writer.add(PREDICTION, PHOTO)
        (line,) = lines(out)
        made_of = stamp(Path(PREDICTION.source))
        assert line == PREDICTION.to_dict() | {"files": line["files"], "stamp": made_of}
        for file in line["files"].values():
            with Image.open(out / file) as picture:
                assert picture.size == PHOTO.size
        writer.add(FAILURE)
        assert lines(out)[1] == FAILURE.to_dict()
        assert writer.done == {"a/x.png"}
    with (out / "predictions.csv").open() as file:
        assert [row["source"] for row in csv.DictReader(file)] == ["a/x.png", "a/y.png"]


def test_without_an_image_no_pictures_are_made(tmp_path: Path) -> None:
    with ResultWriter(tmp_path) as writer:
        writer.add(PREDICTION)
    assert not pictures(tmp_path)
    assert "files" not in lines(tmp_path)[0]


def test_an_interrupted_run_has_its_table_and_its_own_error(tmp_path: Path) -> None:
    def run() -> None:
        with ResultWriter(tmp_path) as writer:
            writer.add(PREDICTION)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert (tmp_path / "predictions.csv").read_text().count("\n") == 2


def test_resume_continues_after_a_cut_line(tmp_path: Path) -> None:
    with ResultWriter(tmp_path) as writer:
        writer.add(PREDICTION, PHOTO)
        writer.add(FAILURE)
        writer.add(prediction("a/z.png"), PHOTO)
    record = tmp_path / "predictions.jsonl"
    record.write_bytes(record.read_bytes()[:-9])
    with ResultWriter(tmp_path, resume=True) as writer:
        assert writer.done == {"a/x.png"}  # the failure is tried again
        writer.add(prediction("a/y.png"), PHOTO)
        writer.add(prediction("b/x.png"), PHOTO)
    assert [line["source"] for line in lines(tmp_path)] == ["a/x.png", "a/y.png", "a/y.png", "b/x.png"]
    assert (tmp_path / "predictions.csv").read_text().count("a/y.png") == 1
    assert lines(tmp_path)[0]["files"] != lines(tmp_path)[3]["files"]


def test_resume_begins_where_nothing_is(tmp_path: Path) -> None:
    for _ in range(2):
        with ResultWriter(tmp_path / "new", resume=True, settings={"model": "m"}) as writer:
            assert not writer.done
    assert not lines(tmp_path / "new")


def test_other_results_are_refused(tmp_path: Path) -> None:
    with ResultWriter(tmp_path, settings={"model": "m", "threshold": 0.5}) as writer:
        writer.add(PREDICTION)
    before = (tmp_path / "predictions.jsonl").read_bytes()
    with pytest.raises(OutputError, match="holds results already"):
        ResultWriter(tmp_path)
    with pytest.raises(OutputError, match="begun with another model, top_k;"):
        ResultWriter(tmp_path, resume=True, settings={"model": "n", "threshold": 0.5, "top_k": 1})
    assert (tmp_path / "predictions.jsonl").read_bytes() == before
    with ResultWriter(tmp_path, resume=True, settings={"model": "m", "threshold": 0.5}) as writer:
        assert writer.done == {"a/x.png"}


def test_overwrite_removes_results_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with ResultWriter(out, settings={"model": "m"}) as writer:
        writer.add(PREDICTION, PHOTO)
        writer.add(prediction("stays"))
    (out / "notes.txt").write_text("mine")
    (out / "heatmaps" / "mine.png").write_text("mine")
    (tmp_path / "precious.png").write_text("mine")
    record = out / "predictions.jsonl"
    record.write_bytes(record.read_bytes().replace(b"outlines/x.png", b"../../precious.png"))
    with ResultWriter(out, overwrite=True, settings={"model": "n"}) as writer:
        assert not writer.done
    assert pictures(out) == ["heatmaps/mine.png", "outlines/x.png"]
    assert (tmp_path / "precious.png").exists()
    assert sorted(path.name for path in out.iterdir() if path.is_file()) == (
        ["notes.txt", "predictions.csv", "predictions.jsonl", "run.json"]
    )
    record.write_bytes(b"not ours\nnot ours\n")
    with ResultWriter(out, overwrite=True):
        assert record.read_bytes() == b""


def test_names_of_pictures_are_unique_and_stable(tmp_path: Path) -> None:
    sources = ["a/x.png", "b/x.png", "c/X.jpg", "d/x.png", "a/x.png"]
    with ResultWriter(tmp_path) as writer:
        for source in sources:
            writer.add(prediction(source), PHOTO)
    names = [line["files"]["heatmap"] for line in lines(tmp_path)]
    assert names[0] == names[4] == "heatmaps/x.png"
    assert len({name.casefold() for name in names}) == 4


@given(st.text(max_size=300))
def test_safe_names_are_safe(source: str) -> None:
    name = safe_name(source.replace("\0", ""))
    assert name
    assert not set(name) & set("/\\<>:\"'|?*\n ")
    assert name[0] not in ".-"
    assert len(name.encode()) <= 240


class FullDisk:
    """A file that takes some bytes and then no more."""

    def __init__(self, file: Any, room: int) -> None:
        self.file, self.room = file, room

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def write(self, line: bytes) -> int:
        if self.room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written: int = self.file.write(line[: self.room])
        self.room -= written
        return written


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> None:
        with ResultWriter(tmp_path) as writer:
            writer.add(PREDICTION, PHOTO)
            monkeypatch.setattr(writer._lines, "_file", FullDisk(writer._lines._file, room=20))
            writer.add(prediction("a/z.png"))

    with pytest.raises(OutputError) as caught:
        run()
    assert str(caught.value).isprintable()
    assert "predictions.jsonl: cannot be written (No space left on device)" in str(caught.value)
    assert [line["source"] for line in lines(tmp_path)] == ["a/x.png"]
    assert "a/x.png" in (tmp_path / "predictions.csv").read_text()


def test_a_picture_that_cannot_be_written_leaves_no_line(tmp_path: Path) -> None:
    (tmp_path / "outlines").write_text("a file where the folder should be")
    with (
        pytest.raises(OutputError, match=r"outlines/x\.png: cannot be written"),
        ResultWriter(tmp_path) as writer,
    ):
        writer.add(PREDICTION, PHOTO)
    assert not lines(tmp_path)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        with pytest.raises(OutputError, match="cannot be written"):
            ResultWriter(out)


def test_an_image_that_was_replaced_is_not_done(tmp_path: Path) -> None:
    image, out = tmp_path / "a.png", tmp_path / "out"
    PHOTO.save(image)
    with ResultWriter(out) as writer:
        assert not writer.is_done(str(image))
        writer.add(prediction(str(image)))
        assert writer.is_done(str(image))
    with ResultWriter(out, resume=True) as writer:
        assert writer.is_done(str(image))
    PHOTO.resize((9, 9)).save(image)
    with ResultWriter(out, resume=True) as writer:
        assert not writer.is_done(str(image))
        assert not writer.done
        writer.add(prediction(str(image)))
    with ResultWriter(out, resume=True) as writer:
        assert writer.is_done(str(image))


def test_the_stamp_is_taken_before_the_image_is_read(tmp_path: Path) -> None:
    image, out = tmp_path / "a.png", tmp_path / "out"
    PHOTO.save(image)
    with ResultWriter(out) as writer:
        assert not writer.is_done(str(image))
        PHOTO.resize((9, 9)).save(image)  # while it waits, or after it was read
        writer.add(prediction(str(image)))
    with ResultWriter(out, resume=True) as writer:
        assert not writer.is_done(str(image))


def test_lines_without_a_stamp_are_made_again(tmp_path: Path) -> None:
    image, out = tmp_path / "a.png", tmp_path / "out"
    PHOTO.save(image)
    out.mkdir()
    (out / "predictions.jsonl").write_text(prediction(str(image)).to_json() + "\n")
    with ResultWriter(out, resume=True) as writer:
        assert not writer.is_done(str(image))


def test_a_second_run_into_the_folder_is_refused(tmp_path: Path) -> None:
    with ResultWriter(tmp_path / "out") as first:
        first.add(PREDICTION)
        for policy in ({"resume": True}, {"overwrite": True}):
            with pytest.raises(OutputError, match="another run is writing here"):
                ResultWriter(tmp_path / "out", **policy)
        first.add(prediction("late"))
    assert [line["source"] for line in lines(tmp_path / "out")] == [PREDICTION.source, "late"]


def test_links_in_the_folder_are_not_written_through(tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    (out / "heatmaps").mkdir(parents=True)
    elsewhere.mkdir()
    names = ("predictions.csv", "run.json", "heatmaps/x.png")
    for name in names:
        target = elsewhere / Path(name).name
        target.write_text("precious")
        (out / name).symlink_to(target)
    with ResultWriter(out, settings={"model": "a"}) as writer:
        writer.add(PREDICTION, PHOTO)
    assert {path.read_text() for path in elsewhere.iterdir()} == {"precious"}
    assert not any((out / name).is_symlink() for name in names)


@pytest.mark.parametrize("name", ["predictions.jsonl", "previews"])
def test_a_link_that_would_have_to_be_followed_is_refused(tmp_path: Path, name: str) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    with ResultWriter(out) as writer:
        writer.add(PREDICTION, PHOTO)
    (out / name).rename(elsewhere)
    (out / name).symlink_to(elsewhere)
    before = elsewhere.stat().st_mtime_ns

    def go_on() -> None:
        with ResultWriter(out, resume=True) as writer:
            writer.add(prediction("a/z.png"), PHOTO)

    with pytest.raises(OutputError, match="is a link, and nothing is written through links"):
        go_on()
    assert elsewhere.stat().st_mtime_ns == before


def test_overwriting_removes_nothing_through_a_link(tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    with ResultWriter(out) as writer:
        writer.add(PREDICTION, PHOTO)
    (out / "heatmaps").rename(elsewhere)
    (out / "heatmaps").symlink_to(elsewhere)
    ResultWriter(out, overwrite=True).close()
    assert [path.name for path in elsewhere.iterdir()] == ["x.png"]


def test_what_a_killed_run_left_is_swept(tmp_path: Path) -> None:
    with ResultWriter(tmp_path) as writer:
        writer.add(PREDICTION, PHOTO)
    (tmp_path / "heatmaps" / ".z.png.part.png").write_bytes(b"half")
    (tmp_path / ".predictions.csv.part.csv").write_bytes(b"half")
    ResultWriter(tmp_path, resume=True).close()
    assert not list(tmp_path.rglob(".*.part*"))


@pytest.mark.parametrize("maps", ["npy", "tiff"])
def test_masks_and_maps_as_numbers_lie_beside_the_pictures_and_go_with_them(tmp_path: Path, maps: str):
    grid = np.linspace(0, 1, 96, dtype=np.float32).reshape(8, 12)
    found = replace(PREDICTION, anomaly_map=grid)
    asked = AnomalyFormat(bar=True, masks=True, maps=maps)
    with ResultWriter(tmp_path, format=asked) as writer:
        writer.add(found, PHOTO)
    place = tmp_path / "maps" / f"x.{maps}"
    read = np.load(place) if maps == "npy" else pixels(place)
    np.testing.assert_array_equal(read, grid)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(pixels(tmp_path / "masks" / "x.png"), (grid >= 0.5) * np.uint8(255))
    assert pixels(tmp_path / "heatmaps" / "x.png").shape[1] > PHOTO.width
    page = write_report(tmp_path, "Test", {}, None).read_text()
    assert "masks/x.png" not in page
    assert len(pictures(tmp_path)) == 5
    with ResultWriter(tmp_path, overwrite=True, format=AnomalyFormat("none", masks=True)) as writer:
        writer.add(found, PHOTO)
    assert pictures(tmp_path) == ["masks/x.png"]


@pytest.mark.parametrize(
    ("seen", "drawn"),
    [
        ("anomalous", ["heatmaps/bad.png", "outlines/bad.png", "previews/bad.jpg"]),
        ("previews", ["previews/bad.jpg", "previews/good.jpg"]),
        ("none", []),
    ],
)
def test_pictures_are_those_that_were_asked_for_and_no_photo_is_read_in_vain(
    tmp_path: Path, monkeypatch, seen, drawn
):
    read = []

    def with_photo(scored: Scored) -> Scored:
        read.append(scored.result.source)
        return replace(scored, image=PHOTO)

    monkeypatch.setattr(Scored, "with_photo", with_photo)
    bad, good = replace(PREDICTION, source="bad.png"), replace(PREDICTION, source="good.png", score=0.1)
    with ResultWriter(tmp_path, format=AnomalyFormat(seen)) as writer:
        assert list(writer.written([Scored(None, bad), Scored(None, good)])) == [bad, good]
    assert pictures(tmp_path) == drawn
    assert sorted(f"{name}.png" for name in {Path(one).stem for one in drawn}) == sorted(read)
    page = write_report(tmp_path, "Test", {}, None).read_text()
    assert page.count("<img class=") == len(drawn)
    assert ("The 1 highest scores" in page, "Small pictures are inside" in page) == (
        seen == "anomalous",
        bool(drawn),
    )

"""Mirror: results on their way to a store in memory; of a real one: ``tests/cli/test_predict_stores.py``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from zerosight.errors import OutputError
from zerosight.report.mirror import Mirror
from zerosight.report.writer import ResultWriter
from zerosight.stores import fetch, is_there
from zerosight.types import Prediction

fsspec = pytest.importorskip("fsspec")
OUT = "memory://out/run"


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    monkeypatch.setattr("zerosight.stores.PAUSE", 0)
    monkeypatch.setattr("zerosight.report.mirror.EVERY", 0)
    monkeypatch.setattr("zerosight.report.mirror.SHARE", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def prediction(name: str) -> Prediction:
    return Prediction(name, 0.5, 0.5, 0.5, np.zeros((4, 5), np.float32), ())


def write(mirror: Mirror, *names: str, resume: bool = False, overwrite: bool = False) -> None:
    settings = {"model": "m"}
    with ResultWriter(mirror.folder, resume=resume, overwrite=overwrite, settings=settings) as writer:
        mirror.begin()
        for name in names:
            writer.add(prediction(name), Image.new("RGB", (5, 4)))
            mirror.tick()


def working_folders(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_results_arrive_as_they_are_made_and_nothing_stays_here(memory, tmp_path):
    with Mirror(OUT) as mirror:
        write(mirror, "a.png", "b.png")
        assert is_there(f"{OUT}/heatmaps/a.png")
        assert not (mirror.folder / "heatmaps" / "a.png").exists()
        assert fetch(f"{OUT}/predictions.jsonl").count(b"\n") == 2
        assert not is_there(f"{OUT}/predictions.csv")
    assert fetch(f"{OUT}/predictions.csv").count(b"\n") == 3
    assert working_folders(tmp_path) == []
    with pytest.raises(OutputError, match=r"memory://out/run: holds results already; resume or overwrite"):
        Mirror(OUT)
    with Mirror(OUT, resume=True) as mirror:  # from another machine, as nothing is left here
        write(mirror, "c.png", resume=True)
    assert fetch(f"{OUT}/predictions.jsonl").count(b"\n") == 3
    memory.pipe("/out/run/heatmaps/mine.png", b"x")
    with Mirror(OUT, overwrite=True) as mirror:
        write(mirror, "d.png", overwrite=True)
    assert sorted(Path(name).name for name in memory.ls("/out/run/heatmaps", detail=False)) == [
        "d.png",
        "mine.png",
    ]


def test_what_the_store_refuses_waits_here(memory, tmp_path, monkeypatch):
    real = type(memory).put_file

    def refuse(self: Any, file: str, path: str) -> None:
        if path.endswith("b.png"):
            raise PermissionError("secret_key=abc")
        real(self, file, path)

    monkeypatch.setattr(type(memory), "put_file", refuse)
    mirror = Mirror(OUT)
    with pytest.raises(OutputError, match=r"b\.png: access is denied.*nothing is lost.*--resume"), mirror:
        write(mirror, "a.png", "b.png", "c.png")
    assert (mirror.folder / "predictions.jsonl").read_bytes().count(b"\n") == 2
    monkeypatch.setattr(type(memory), "put_file", real)
    with Mirror(OUT, resume=True) as mirror:
        write(mirror, "c.png", resume=True)
    lines = fetch(f"{OUT}/predictions.jsonl").decode().splitlines()
    assert [line.split('"')[3] for line in lines] == ["a.png", "b.png", "c.png"]
    assert is_there(f"{OUT}/heatmaps/b.png")
    assert working_folders(tmp_path) == []


def test_what_the_store_fails_at_is_left_for_later(memory, monkeypatch):
    real = type(memory).put_file
    down = [False]

    def fail(self: Any, file: str, path: str) -> None:
        if down[0]:
            raise ConnectionResetError
        real(self, file, path)

    monkeypatch.setattr(type(memory), "put_file", fail)
    with Mirror(OUT) as mirror, ResultWriter(mirror.folder) as writer:
        mirror.begin()
        down[0] = True
        writer.add(prediction("a.png"), Image.new("RGB", (5, 4)))
        mirror.tick()
        down[0] = False
    assert is_there(f"{OUT}/heatmaps/a.png")


def test_the_newer_lines_count(memory, monkeypatch):
    real = type(memory).put_file
    first = Mirror(OUT)
    write(first, "a.png")
    first.finish()
    with ResultWriter(first.folder, resume=True, settings={"model": "m"}) as writer:
        writer.add(prediction("b.png"))
    monkeypatch.setattr(type(memory), "put_file", lambda *_: 1 / 0)
    with pytest.raises(OutputError, match="division by zero"), first:
        first.finish()
    monkeypatch.setattr(type(memory), "put_file", real)
    before = fetch(f"{OUT}/predictions.jsonl")
    memory.pipe(
        "/out/run/predictions.jsonl", before + before.replace(b"a.png", b"z.png")
    )  # by another machine
    with Mirror(OUT, resume=True) as mirror:
        assert b"z.png" in (mirror.folder / "predictions.jsonl").read_bytes()
        assert b"b.png" not in (mirror.folder / "predictions.jsonl").read_bytes()


def test_errors_of_the_working_folder_name_the_address(memory):
    with Mirror(OUT) as mirror:
        write(mirror, "a.png")
    with (
        pytest.raises(OutputError, match=r"^memory://out/run: was begun with another model"),
        Mirror(OUT, resume=True) as mirror,
    ):
        ResultWriter(mirror.folder, resume=True, settings={"model": "n"})
    with pytest.raises(OutputError, match="another run is writing here"), Mirror(OUT, resume=True):
        Mirror(OUT, resume=True)

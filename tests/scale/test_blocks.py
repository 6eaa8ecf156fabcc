"""Blocks: parts in the order of the list, with what is still true of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from zerosight.errors import OutputError
from zerosight.identity import stamp
from zerosight.journal import ResumePolicy
from zerosight.report.parquet import row_of, schema_of
from zerosight.report.writer import ResultWriter
from zerosight.scale.blocks import Block, BlockFolder
from zerosight.scale.work import as_bytes, portion, read_portion
from zerosight.types import Failure

parquet = pytest.importorskip("pyarrow.parquet")


def fill(folder: BlockFolder, block: Block, *failed: str) -> None:
    """Write a block, its rows in the reverse order as if the last had come first."""
    schema = schema_of(False)
    for source in reversed(block.todo):
        values = {"source": source, "score": 0.5, "stamp": stamp(Path(source))}
        if source in failed:
            values = {"source": source, "error": "is no image"}
        block.tables.append(as_bytes([row_of(values, Failure(source, ""), schema.names)], schema))
    folder.write(block)


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    found = [tmp_path / f"{i}.png" for i in range(5)]
    for path in found:
        path.write_bytes(b"x")
    return found


def sources(out: Path) -> list[str]:
    return [Path(name).name for name in parquet.read_table(out / "predictions.parquet")["source"].to_pylist()]


def test_what_is_true_is_kept(images, tmp_path):
    out = tmp_path / "out"
    with BlockFolder(ResumePolicy(out), {"model": "m"}, 2) as folder:
        for block in folder.blocks([*images, images[4]]):
            fill(folder, block, str(images[1]))
    assert sources(out) == ["0.png", "1.png", "2.png", "3.png", "4.png"]
    images[2].write_bytes(b"another")
    with BlockFolder(ResumePolicy(out, resume=True), {"model": "m"}, 2) as folder:
        blocks = list(folder.blocks(images[:4]))
        assert [[Path(name).name for name in block.todo] for block in blocks] == [["1.png"], ["2.png"]]
        for block in blocks:
            fill(folder, block)
        folder.cut(len(blocks))
        assert [block.todo for block in folder.blocks(images[:4])] == [[], []]
    assert sources(out) == ["0.png", "1.png", "2.png", "3.png"]


def test_names_that_are_not_utf8_are_kept_and_known_again(tmp_path):
    image = tmp_path / os.fsdecode(b"\xff.png")
    image.write_bytes(b"x")
    for todo in ([str(image)], []):
        with BlockFolder(ResumePolicy(tmp_path / "out", resume=True), {"model": "m"}, 2) as folder:
            [block] = folder.blocks([image])
            assert block.todo == todo
            if todo:
                sent = portion(0, 0, block.todo)
                assert sent["about"].isascii()
                [read] = json.loads(read_portion(sent, None)["about"])
                assert read["source"] == str(image)
                fill(folder, block)
    assert sources(tmp_path / "out") == ["\\udcff.png"]


def test_runs_of_two_kinds_do_not_mix(images, tmp_path):
    with BlockFolder(ResumePolicy(tmp_path / "out"), {"model": "m"}, 2) as folder:
        fill(folder, next(iter(folder.blocks(images))))
        with pytest.raises(OutputError, match="another run is writing here"):
            BlockFolder(ResumePolicy(tmp_path / "out", overwrite=True), {"model": "m"}, 2)
    with pytest.raises(OutputError, match="holds results already"):
        BlockFolder(ResumePolicy(tmp_path / "out"), {"model": "m"}, 2)
    with pytest.raises(OutputError, match="was begun with another model"):
        BlockFolder(ResumePolicy(tmp_path / "out", resume=True), {"model": "n"}, 2)
    for resume in (False, True):
        with pytest.raises(OutputError, match="was begun with --on"):
            ResultWriter(tmp_path / "out", resume=resume)
    with ResultWriter(tmp_path / "out", overwrite=True) as writer:
        writer.add(Failure("a.png", "is no image"))
    assert not (tmp_path / "out" / "blocks.jsonl").exists()
    with pytest.raises(OutputError, match="holds results already"):
        BlockFolder(ResumePolicy(tmp_path / "out"), {"model": "m"}, 2)
    with pytest.raises(OutputError, match="was begun without --on"):
        BlockFolder(ResumePolicy(tmp_path / "out", resume=True), {"model": "m"}, 2)
    with BlockFolder(ResumePolicy(tmp_path / "out", overwrite=True), {"model": "m"}, 2):
        assert not (tmp_path / "out" / "predictions.jsonl").exists()

"""Parquet: parts that are whole, one row per image, gone on with after a kill."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosight.errors import OutputError
from zerosight.report.findings import FindingFormat
from zerosight.report.writer import ResultWriter
from zerosight.types import Failure, FindingPrediction, FindingScore, Prediction, Region

parquet = pytest.importorskip("pyarrow.parquet")
MAP = np.linspace(0, 1, 20 * 30, dtype=np.float32).reshape(20, 30)


def prediction(source: Path | str, score: float = 0.75) -> Prediction:
    return Prediction(str(source), score, 0.5, 0.4, MAP, (Region((1, 2, 3, 4), 5, 0.5),))


def rows(out: Path) -> list[dict]:
    return parquet.read_table(out / "predictions.parquet").to_pylist()


def test_rows_hold_what_the_lines_hold_and_maps_if_asked_for(tmp_path):
    with ResultWriter(tmp_path, parquet="maps") as writer:
        writer.add(replace(prediction("a.png"), is_familiar=False))
        writer.add(Failure("b.png", "b.png: is no image"))
    one, other = rows(tmp_path)
    expected = prediction("a.png").to_dict() | {"is_familiar": False}
    regions = expected.pop("regions")
    assert {key: one[key] for key in expected} == expected
    assert [{**region, "box": list(region["box"])} for region in regions] == one["regions"]
    values = np.asarray(Image.open(io.BytesIO(one["map"]))) / 65_535
    assert np.abs(values - MAP).max() <= 0.5 / 65_535 + 1e-7
    assert (other["source"], other["error"], other["score"], other["map"]) == (
        "b.png",
        "b.png: is no image",
        None,
        None,
    )
    with ResultWriter(tmp_path, overwrite=True) as writer:
        writer.add(prediction("a.png"))
    assert not list((tmp_path / "predictions.parquet").iterdir())


def test_findings_are_a_list(tmp_path):
    why = "it points nowhere"
    scores = (FindingScore("mass", 0.1, 0.9, 0.5), FindingScore("edema", 0.2, 0.8, 0.5, why))
    found = FindingPrediction("a.png", scores, "pos-neg", "train-only", {"mass": MAP}, None, True)
    for kind, maps in (("rows", 0), ("maps", 1)):
        layout = FindingFormat(["mass", "edema"])
        with ResultWriter(tmp_path, overwrite=True, format=layout, parquet=kind) as writer:
            writer.add(found)
        [row] = rows(tmp_path)
        told = [{"no_map": None} | one for one in found.to_dict()["findings"]]
        assert row["findings"] == told
        assert [one["no_map"] for one in told] == [None, why]
        assert (row["is_familiar"], len(row["maps"] or ())) == (True, maps)


def test_a_killed_run_goes_on_and_every_image_has_one_row(tmp_path, monkeypatch):
    monkeypatch.setattr("zerosight.report.parquet.MOST_ROWS", 2)
    images = [tmp_path / f"{i}.png" for i in range(5)]
    for image in images:
        Image.new("L", (30, 20)).save(image)
    out = tmp_path / "out"
    killed = ResultWriter(out, parquet="rows")
    killed.add(Failure(str(images[0]), "not now"))
    for image in images[1:]:
        killed.add(prediction(image))
    killed._lines.close()  # the fifth is in no part
    assert [row["source"] for row in rows(out)] == [str(image) for image in images[:4]]
    (out / "predictions.parquet" / ".part-000002.parquet.part.parquet").write_bytes(b"half")
    Image.new("L", (3, 2)).save(images[2])  # replaced since
    with ResultWriter(out, resume=True, parquet="rows") as writer:
        todo = [image for image in images if not writer.is_done(str(image))]
        assert todo == [images[0], images[2], images[4]]
        for image in todo:
            writer.add(prediction(image, 0.25))
    found = {row["source"]: row["score"] for row in rows(out)}
    assert found == dict(zip(map(str, images), (0.25, 0.75, 0.25, 0.75, 0.25), strict=True))
    assert len(rows(out)) == 5
    assert all(path.name.startswith("part-") for path in (out / "predictions.parquet").iterdir())


def test_a_file_name_that_is_not_utf_8_is_a_row_and_known_again(tmp_path):
    name = "a\udcff.png"
    with ResultWriter(tmp_path, parquet="rows") as writer:
        writer.add(Failure(name, f"{name}: is no image"))
        writer.add(prediction(name))
    assert [row["source"] for row in rows(tmp_path)] == ["a\\udcff.png"]
    with ResultWriter(tmp_path, resume=True, parquet="rows") as writer:
        writer.add(prediction(name, score=0.25))
    assert [row["score"] for row in rows(tmp_path)] == [0.25]


def test_the_same_image_twice_is_one_row_and_a_damaged_part_is_named(tmp_path):
    with ResultWriter(tmp_path, parquet="rows") as writer:
        writer.add(prediction("a.png", 0.25))
        writer.add(prediction("a.png", 0.75))
    assert [row["score"] for row in rows(tmp_path)] == [0.75]
    (tmp_path / "predictions.parquet" / "part-000000.parquet").write_bytes(b"no table")
    with pytest.raises(OutputError, match=r"part-000000\.parquet: cannot be read"):
        ResultWriter(tmp_path, resume=True, parquet="rows")
    with ResultWriter(tmp_path, overwrite=True, parquet="rows") as writer:  # and the lock was let go
        writer.add(prediction("b.png"))
    assert [row["source"] for row in rows(tmp_path)] == ["b.png"]

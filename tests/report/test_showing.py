"""Results in notebooks: pictures, plots, HTML, folders and tables, and what is said where there is none."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from PIL import Image

import zerosight
from zerosight.errors import ConfigError, ImageReadError, MissingExtraError, OutputError
from zerosight.report.heatmap import heatmap, outline, overlay
from zerosight.types import Failure, FindingPrediction, FindingScore, Prediction, Region

MAP = np.zeros((20, 30), np.float32)
MAP[5:9, 10:20] = 0.9
REGION = Region((10, 5, 20, 9), 40, 0.9)
PHOTO = Image.new("RGB", (30, 20), (90, 120, 90))


@pytest.fixture
def found(tmp_path) -> Prediction:
    PHOTO.save(tmp_path / "<b>.png")
    return Prediction(str(tmp_path / "<b>.png"), 0.8, 0.5, 0.5, MAP, (REGION,))


@pytest.fixture
def chest() -> FindingPrediction:
    findings = (
        FindingScore("edema", 0.2, 0.9, 0.5),
        FindingScore("no finding", 0.2, 0.4, 0.5),
        FindingScore("mass", 0.1, 0.2, 0.5),
    )
    maps = {"mass": 1 - MAP, "edema": MAP, "attention": MAP / 2}
    return FindingPrediction("image 0", findings, "pos-neg", "train-only", maps, PHOTO)


def equal(left: Image.Image, right: Image.Image) -> bool:
    return left.mode == right.mode and np.array_equal(np.asarray(left), np.asarray(right))


def test_pictures_are_those_of_a_folder_of_results(found):
    assert equal(found.heatmap(), heatmap(MAP))
    assert equal(found.overlay(), overlay(PHOTO, MAP, 0.5))
    assert equal(found.outline(), outline(PHOTO, MAP, 0.5, found.regions))


def test_an_image_from_memory_is_kept_and_a_file_is_read_again(found, tmp_path):
    held = Prediction("image 0", 0.8, 0.5, 0.5, MAP, (REGION,), PHOTO)
    assert equal(held.overlay(), found.overlay())
    (tmp_path / "<b>.png").unlink()
    with pytest.raises(ImageReadError, match="No such file"):
        found.overlay()
    assert "<img" in found._repr_html_()  # of the map alone
    PHOTO.resize((10, 10)).save(tmp_path / "<b>.png")
    with pytest.raises(ImageReadError, match="predict it again"):
        found.overlay()


def test_a_result_is_one_line_and_a_figure_without_markup_of_others(found, chest):
    assert repr(found).endswith("score 0.8000 at or above 0.5000, anomalous, 1 region, 30 x 20)")
    said = "FindingPrediction('image 0', 3 findings, present: edema 0.90, 3 maps)"
    assert repr(chest) == said
    page = found._repr_html_()
    assert "anomalous: score 0.80" in page
    assert "&lt;b&gt;.png" in page
    assert "<b>.png" not in page
    assert "edema" in chest._repr_html_()
    assert "research use only" in chest._repr_html_()


def test_json_is_a_string_of_the_same_values(found, chest):
    for one in (found, chest, Failure("a.png", "gone")):
        assert json.loads(one.to_json()) == one.to_dict()
        assert "\n" not in one.to_json()


def test_a_map_is_named_or_that_of_the_most_probable_finding(chest):
    assert equal(chest.heatmap(), heatmap(MAP))
    assert equal(chest.heatmap("attention"), heatmap(MAP / 2))
    assert equal(chest.overlay("mass"), overlay(PHOTO, 1 - MAP, 0.5))
    with pytest.raises(ConfigError, match="did you mean 'edema'"):
        chest.heatmap("edma")
    with pytest.raises(ConfigError, match="maps=True"):
        FindingPrediction("a.png", chest.findings, "cosine", "train-only", {}).heatmap()


def test_results_are_saved_one_after_another(found, chest, tmp_path):
    out = found.save(tmp_path / "out")
    Prediction("image 1", 0.1, 0.5, 0.5, 0 * MAP, (), PHOTO).save(out)
    lines = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    assert [line["source"] for line in lines] == [found.source, "image 1"]
    assert equal(Image.open(out / lines[0]["files"]["heatmap"]), found.overlay())
    with pytest.raises(OutputError):
        chest.save(out)
    assert (chest.save(tmp_path / "chests") / "maps" / "edema" / "image_0.png").is_file()


def test_plots_go_to_given_axes_or_a_figure_of_their_own(found, chest, monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from matplotlib import pyplot

    axes = pyplot.subplots()[1]
    assert found.plot(axes) is axes
    assert "anomalous" in axes.get_title()
    bars = chest.plot()
    assert [text.get_text() for text in bars.get_yticklabels()] == ["edema", "no finding", "mass"]
    pyplot.close("all")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"zerosight\[notebook\]"):
        chest.plot()


def test_tables_have_a_row_per_image(found, chest):
    pytest.importorskip("pandas")
    table = zerosight.to_frame([found, Failure("x.png", "gone")])
    assert table["source"].tolist() == [found.source, "x.png"]
    assert table.loc[0, ["regions", "peak", "width"]].tolist() == [1, 0.9, 30]
    assert table["error"].tolist()[1] == "gone"
    findings = zerosight.to_frame(chest)
    assert findings.loc[0, "edema"] == 0.9
    assert findings.loc[0, "present"] == "edema"
    assert len(zerosight.to_frame([])) == 0
    with pytest.raises(ConfigError, match="not both"):
        zerosight.to_frame([found, chest])
    with pytest.raises(ConfigError, match="one of pandas, polars"):
        zerosight.to_frame([found], "numpy")


def test_a_table_needs_who_makes_it(found, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(MissingExtraError, match="neither pandas nor polars"):
        zerosight.to_frame([found])
    with pytest.raises(MissingExtraError, match="pip install polars"):
        zerosight.to_frame([found], "polars")

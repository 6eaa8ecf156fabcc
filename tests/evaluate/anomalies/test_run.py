"""Evaluation: right, the same however it is run, never lost, and clear about what it left out."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score

from zerosight.data.layouts import open_dataset
from zerosight.data.manifest import Manifest, Record
from zerosight.data.masks import read_mask
from zerosight.data.pixels import read_image
from zerosight.errors import DataError, OutputError
from zerosight.evaluate.anomalies import EvaluationConfig, ResumePolicy, evaluate
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.predict.anomalies import Predictor
from zerosight.preprocess import Preprocess, resize_map

QUICK = EvaluationConfig(resamples=50)


def by_hand(dataset: Manifest, predictor: Predictor, category: str, native: bool) -> dict[str, float]:
    """Return AUROC and AP at both levels, image by image and with scikit-learn."""
    scores, labels, maps, masks = [], [], [], []
    size = predictor.scorer.preprocess.size
    for record in dataset.records():
        if record.category != category:
            continue
        image = read_image(dataset.resolve(record.image))
        [score], [found] = predictor.scorer.score(predictor.scorer.preprocess.pixels(image)[None])
        mask = np.zeros((30, 40), bool)
        if record.mask:
            mask = read_mask(dataset.resolve(record.mask))
        if native:
            found = resize_map(found, mask.shape)
        else:
            small = Image.fromarray(mask.astype(np.uint8) * 255).resize(
                (size, size), Image.Resampling.BILINEAR
            )
            mask = np.array(small) > 127
        scores.append(score)
        labels.append(record.label)
        maps.append(found.ravel())
        masks.append(mask.ravel())
    pixels, truth = np.concatenate(maps), np.concatenate(masks)
    return {
        "image_auroc": roc_auc_score(labels, scores),
        "image_ap": average_precision_score(labels, scores),
        "pixel_auroc": roc_auc_score(truth, pixels),
        "pixel_ap": average_precision_score(truth, pixels),
    }


@pytest.mark.parametrize("resolution", ["model", "native"])
def test_metrics_are_those_found_by_hand(make, predictor, resolution):
    dataset = make()
    result = evaluate(predictor, dataset, EvaluationConfig(resolution=resolution, resamples=20))
    assert [category.name for category in result.categories] == ["nut", "cap"]
    found = []
    for category in result.categories:
        expected = by_hand(dataset, predictor, category.name, resolution == "native")
        assert category.image.auroc.value == pytest.approx(expected["image_auroc"], abs=1e-12)
        assert category.image.ap.value == pytest.approx(expected["image_ap"], abs=1e-12)
        assert category.pixel.auroc.value == pytest.approx(expected["pixel_auroc"], abs=1e-3)
        assert category.pixel.ap.value == pytest.approx(expected["pixel_ap"], abs=1e-3)
        assert (category.image.normal, category.image.anomalous, category.pixel.images) == (4, 4, 8)
        interval = category.image.auroc.interval
        assert interval.low <= category.image.auroc.value <= interval.high
        found.append(expected["image_auroc"])
    assert result.mean.image.auroc.value == pytest.approx(np.mean(found))
    assert result.mean.image.auroc.interval.low <= np.mean(found) <= result.mean.image.auroc.interval.high
    assert result.mean.image_over == result.mean.pixel_over == 2
    assert not result.left_out


def test_results_do_not_depend_on_batches_workers_or_order(make, rewrite, predictor):
    dataset = make()
    expected = evaluate(predictor, dataset, QUICK).to_json()
    for batch_size, workers in [(1, 1), (3, 4), (16, 2)]:
        config = QUICK.model_copy(update={"batch_size": batch_size, "workers": workers})
        assert evaluate(predictor, dataset, config).to_json() == expected
    records = list(dataset.records())
    random.Random(0).shuffle(records)
    shuffled = evaluate(predictor, rewrite(dataset.root, records, "shuffled.jsonl"), QUICK).to_json()
    tables = [{c["name"]: c for c in values["categories"]} for values in (shuffled, expected)]
    for name in ("nut", "cap"):
        assert tables[0][name]["image"] == tables[1][name]["image"]
        for metric, values in tables[1][name]["pixel"].items():
            assert tables[0][name]["pixel"][metric] == pytest.approx(values, abs=1e-12)


def test_a_real_model_gives_the_same_one_by_one(make, tiny, tmp_path):
    dataset = make("nut")
    scores = []
    for batch_size in (1, 5):
        config = EvaluationConfig(batch_size=batch_size, resamples=0)
        result = evaluate(tiny, dataset, config, ResumePolicy(tmp_path / str(batch_size)))
        scores.append([outcome.score for outcome in result.categories[0].outcomes])
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)
    one = [p.score for p in tiny.predict(sorted(dataset.root.glob("0-?.png")))]
    assert scores[0] == pytest.approx(one, abs=1e-5)


@pytest.mark.parametrize("resolution", ["model", "native"])
def test_a_tiled_predictor_is_evaluated_with_its_tiles(make, predictor, resolution):
    dataset = make("nut")
    tiled = predictor.tiled(16, 0.25)
    config = EvaluationConfig(resolution=resolution, resamples=0)
    [category] = evaluate(tiled, dataset, config).categories
    paths = [dataset.resolve(outcome.image) for outcome in category.outcomes]
    found = list(tiled.predict(paths))
    assert [outcome.score for outcome in category.outcomes] == [one.score for one in found]
    assert [one.score for one in found] != [one.score for one in predictor.predict(paths)]
    maps, masks = [one.anomaly_map for one in found], []
    for outcome in category.outcomes:
        mask = np.zeros((30, 40), bool)
        if outcome.mask is not None:
            mask = read_mask(dataset.resolve(outcome.mask))
        masks.append(mask if resolution == "native" else predictor.scorer.preprocess.mask(mask))
    if resolution == "model":
        maps = [resize_map(one, (24, 24)) for one in maps]
    truth, pixels = (np.concatenate([one.ravel() for one in many]) for many in (masks, maps))
    assert category.pixel.auroc.value == pytest.approx(roc_auc_score(truth, pixels), abs=1e-3)


def test_tiles_and_whole_images_are_not_mixed(make, predictor, tmp_path):
    dataset = make("nut")
    tiled = predictor.tiled(16)
    expected = evaluate(tiled, dataset, QUICK, ResumePolicy(tmp_path)).to_json()
    with pytest.raises(OutputError, match="was begun with another tiling;"):
        evaluate(predictor, dataset, QUICK, ResumePolicy(tmp_path, resume=True))
    with pytest.raises(OutputError, match="was begun with another tiling;"):
        evaluate(predictor.tiled(20), dataset, QUICK, ResumePolicy(tmp_path, resume=True))
    assert evaluate(tiled, dataset, QUICK, ResumePolicy(tmp_path, resume=True)).to_json() == expected
    evaluate(predictor, dataset, QUICK, ResumePolicy(tmp_path / "whole"))
    settings = json.loads((tmp_path / "whole" / "settings.json").read_text())
    assert "tiling" not in settings  # as in folders of before


class Stop(Exception):
    """What ends an evaluation halfway."""


def stop_at(number: int) -> Callable[[int, int], None]:
    """Return a progress callback that stops when so many rows are done."""

    def tell(done: int, total: int) -> None:
        if done == number:
            raise Stop

    return tell


@pytest.mark.parametrize("at", [1, 7, 16])
def test_an_interrupted_evaluation_goes_on_without_doing_anything_twice(make, predictor, tmp_path, at):
    dataset = make()
    expected = evaluate(predictor, dataset, QUICK).to_json()
    config = QUICK.model_copy(update={"batch_size": 1})
    with pytest.raises(Stop):
        evaluate(predictor, dataset, config, ResumePolicy(tmp_path / "out"), stop_at(at))
    predictor.scorer.scored = 0
    told = []
    store = ResumePolicy(tmp_path / "out", resume=True)
    result = evaluate(predictor, dataset, QUICK, store, lambda done, total: told.append((done, total)))
    assert result.to_json() == expected
    assert predictor.scorer.scored == 16 - at
    assert told[0] == (at, 16)
    assert told[-1] == (16, 16)


def test_after_a_kill_maps_that_were_not_saved_are_counted_again_and_only_once(make, predictor, tmp_path):
    dataset = make()
    out = tmp_path / "out"
    expected = evaluate(predictor, dataset, QUICK).to_json()
    with pytest.raises(Stop):
        evaluate(predictor, dataset, QUICK, ResumePolicy(out), stop_at(5))
    early = (out / "pixels.npz").read_bytes()
    with pytest.raises(Stop):
        evaluate(predictor, dataset, QUICK, ResumePolicy(out, resume=True), stop_at(12))
    (out / "pixels.npz").write_bytes(early)
    scores = out / "scores.jsonl"
    scores.write_bytes(scores.read_bytes()[:-20])
    assert evaluate(predictor, dataset, QUICK, ResumePolicy(out, resume=True)).to_json() == expected
    (out / "pixels.npz").unlink()
    assert evaluate(predictor, dataset, QUICK, ResumePolicy(out, resume=True)).to_json() == expected


def test_a_finished_evaluation_is_read_not_repeated(make, predictor, tmp_path):
    dataset = make()
    expected = evaluate(predictor, dataset, QUICK, ResumePolicy(tmp_path)).to_json()
    predictor.scorer.scored = 0
    assert evaluate(predictor, dataset, QUICK, ResumePolicy(tmp_path, resume=True)).to_json() == expected
    assert predictor.scorer.scored == 0
    lines = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert [line["row"] for line in lines] == list(range(16))


def spoil(dataset: Manifest) -> None:
    """Make one image unreadable, and three masks unusable."""
    folder = dataset.root
    (folder / "0-0.png").write_bytes(b"no image")
    (folder / "0-1.mask.png").write_bytes(b"no mask")
    Image.new("L", (7, 7), 255).save(folder / "0-3.mask.png")
    Image.new("L", (40, 30), 0).save(folder / "0-5.mask.png")


def test_what_cannot_be_used_is_left_out_counted_and_tried_again(make, rewrite, predictor, tmp_path):
    dataset = make()
    good = {path.name: path.read_bytes() for path in dataset.root.iterdir()}
    expected = evaluate(predictor, dataset, QUICK).to_json()
    spoil(dataset)
    with dataset.path.open("a") as file:
        file.write('{"image": "../out.png"}\n')
    result = evaluate(predictor, dataset, QUICK, ResumePolicy(tmp_path / "out"))
    left = {one.kind: one for one in result.left_out}
    assert {kind: one.count for kind, one in left.items()} == {
        "bad row": 1,
        "unreadable image": 1,
        "unusable mask": 2,
        "empty mask": 1,
    }
    assert f"{dataset.path}:18: " in left["bad row"].examples[0]
    assert "0-0.png" in left["unreadable image"].examples[0]
    assert ["0-1.mask.png" in left["unusable mask"].examples[0], "7×7" in left["unusable mask"].examples[1]]
    nut = result.categories[0]
    assert (nut.image.normal, nut.image.anomalous, nut.pixel.images) == (3, 4, 4)
    for name, content in good.items():
        (dataset.root / name).write_bytes(content)
    predictor.scorer.scored = 0
    again = evaluate(predictor, dataset, QUICK, ResumePolicy(tmp_path / "out", resume=True))
    assert predictor.scorer.scored == 4
    assert again.to_json() == expected


@pytest.mark.parametrize("name", ["0-0.png", "0-1.mask.png", "0-3.mask.png", "0-5.mask.png"])
def test_strict_stops_at_the_file_that_cannot_be_used(make, predictor, name):
    dataset = make()
    content = {path.name: path.read_bytes() for path in dataset.root.iterdir()}
    spoil(dataset)
    for other in content.keys() - {name}:
        (dataset.root / other).write_bytes(content[other])
    with pytest.raises(DataError, match=name.replace(".", r"\.")):
        evaluate(predictor, dataset, EvaluationConfig(strict=True))


def test_a_model_that_gives_nonsense_is_told_by_file(make, predictor):
    dataset = make("nut")

    class Broken:
        preprocess = Preprocess(24, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))

        def score(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return np.full(len(pixels), 0.5, np.float32), np.full((len(pixels), 24, 24), np.nan, np.float32)

    broken = Predictor(Broken(), Vip2ClipCard(name="broken"))
    result = evaluate(broken, dataset, QUICK)
    assert [(one.kind, one.count) for one in result.left_out] == [("unusable scores", 8)]
    assert "0-0.png: the model gave unusable scores" in result.left_out[0].examples[0]
    assert "no normal and no anomalous images" in result.mean.image.auroc.reason
    with pytest.raises(DataError, match=r"0-0\.png: the model gave"):
        evaluate(broken, dataset, EvaluationConfig(strict=True))


def test_undefined_metrics_say_why_and_stay_out_of_the_mean(make, rewrite, predictor):
    dataset = make("nut", "cap", "lid", "rod")
    records = list(dataset.records())
    records = [
        *(r for r in records if r.category == "nut"),
        *(r for r in records if r.category == "cap" and r.label == 1),
        *(replace(r, mask=None) for r in records if r.category == "lid"),
        *(replace(r, label=None) for r in records if r.category == "rod" and r.mask),
    ]
    result = evaluate(predictor, rewrite(dataset.root, records), QUICK)
    nut, cap, lid, rod = result.categories
    assert cap.image.auroc.reason == cap.image.ap.reason == "no normal images"
    assert cap.pixel.auroc.is_defined
    assert lid.image.auroc.is_defined
    assert lid.pixel.auroc.reason == lid.pixel.aupro_exact.reason == "no masks"
    assert rod.image.auroc.reason == "no normal and no anomalous images"
    assert rod.pixel.aupro_exact.is_defined
    assert (result.mean.image_over, result.mean.pixel_over) == (2, 3)
    assert result.mean.image.auroc.value == pytest.approx((nut.image.auroc.value + lid.image.auroc.value) / 2)
    assert result.to_json()["categories"][2]["pixel"]["auroc"]["value"] is None


def test_an_anomalous_image_without_its_mask_counts_at_image_level_only(make, rewrite, predictor):
    dataset = make("nut")
    records = [replace(r, mask=None) if r.image == "0-1.png" else r for r in dataset.records()]
    result = evaluate(predictor, rewrite(dataset.root, records), QUICK)
    assert [(one.kind, one.count) for one in result.left_out] == [("missing mask", 1)]
    assert (result.categories[0].image.anomalous, result.categories[0].pixel.images) == (4, 7)


def test_groups_are_drawn_whole(make, rewrite, predictor):
    dataset = make("nut", each=8)
    grouped = [replace(r, group="left" if int(r.image[2:-4]) < 8 else "right") for r in dataset.records()]
    single = [replace(r, group=None) for r in grouped]
    intervals = [
        evaluate(predictor, rewrite(dataset.root, records), EvaluationConfig(resamples=300))
        .categories[0]
        .image.auroc.interval
        for records in (grouped, single)
    ]
    assert intervals[0] != intervals[1]


def test_no_group_is_named_in_what_is_kept(make, rewrite, predictor, tmp_path):
    dataset = make("nut", each=2)
    records = [replace(r, group=f"MILLER-{number // 2}") for number, r in enumerate(dataset.records())]
    named = rewrite(dataset.root, records)
    kept = ResumePolicy(tmp_path / "out", resume=True)
    first = evaluate(predictor, named, QUICK, kept)
    text = (tmp_path / "out" / "scores.jsonl").read_text()
    assert "MILLER" not in text
    groups = [json.loads(line)["group"] for line in text.splitlines()]
    assert len(set(groups)) == (len(records) + 1) // 2
    again = evaluate(predictor, named, QUICK, kept)
    assert again.categories[0].image.auroc == first.categories[0].image.auroc
    assert (tmp_path / "out" / "scores.jsonl").read_text() == text


def test_only_wanted_splits_and_categories_are_evaluated(make, rewrite, predictor):
    dataset = make()
    records = [
        replace(r, split="val") if r.image.endswith(("0.png", "1.png")) else r for r in dataset.records()
    ]
    dataset = rewrite(dataset.root, [*records, Record("0-0.png", split="val")])
    config = EvaluationConfig(splits=("val",), categories=("cap",), resamples=0)
    result = evaluate(predictor, dataset, config)
    assert [c.name for c in result.categories] == ["cap"]
    assert result.images == 2
    assert result.categories[0].image.auroc.interval is None
    both = evaluate(predictor, dataset, EvaluationConfig(splits=("val", "test"), resamples=0))
    assert both.images == 16
    assert [(one.kind, one.count) for one in both.left_out] == [("neither label nor mask", 1)]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"splits": ("val",)}, "parts: no images in split val; splits: test; choose with --split"),
        ({"categories": ("nuts",)}, r"no category nuts \(did you mean 'nut'\?\); categories: nut, cap"),
        ({"categories": ("cap", "nutt")}, r"no category 'nutt' in split test \(did you mean 'nut'\?\)"),
    ],
)
def test_asking_for_what_is_not_there_says_what_is(make, predictor, config, said):
    with pytest.raises(DataError, match=said):
        evaluate(predictor, make(), EvaluationConfig(**config))


def test_a_data_set_without_labels_is_refused(make, rewrite, predictor):
    dataset = make("nut")
    with pytest.raises(DataError, match="none of 1 images has a label or a mask"):
        evaluate(predictor, rewrite(dataset.root, [Record("0-0.png")]))
    with pytest.raises(DataError, match="parts: has no images"):
        evaluate(predictor, rewrite(dataset.root, []))


def test_memory_does_not_grow_with_the_number_of_images(make, rewrite, predictor):
    whole = make("nut")
    records = list(whole.records())
    peaks = []
    for times in (2, 8):
        dataset = rewrite(whole.root, records * times)
        tracemalloc.start()
        evaluate(predictor, dataset, EvaluationConfig(resamples=0, resolution="native"))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 0.5e6


@pytest.mark.realdata
def test_brain_mri_is_read_and_evaluated(realdata, predictor):
    result = evaluate(predictor, open_dataset(f"brain_mri:{realdata}"))
    [brain] = result.categories
    assert (brain.image.normal, brain.image.anomalous) == (98, 155)
    assert 0.3 < brain.image.auroc.value < 0.9
    assert brain.pixel.auroc.reason == "no masks"
    assert not result.left_out

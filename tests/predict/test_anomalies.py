from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosight.backbones.normalise import tower_input
from zerosight.errors import ConfigError, ImageReadError
from zerosight.models.card import Thresholds
from zerosight.models.vip2clip.card import Vip2ClipCard
from zerosight.models.vip2clip.scorer import tiny_scorer
from zerosight.predict.anomalies import Predictor
from zerosight.preprocess import resize_map
from zerosight.types import Failure, Prediction

CARD = Vip2ClipCard(name="test", thresholds=Thresholds(image=0.4, pixel=0.6))


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(tiny_scorer(), CARD, batch_size=3)


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (20 + 7 * i, 31, 3), dtype=np.uint8) for i in range(8)]


def same(left: Prediction, right: Prediction, tolerance: float = 1e-5) -> None:
    assert left.score == pytest.approx(right.score, abs=tolerance)
    np.testing.assert_allclose(left.anomaly_map, right.anomaly_map, atol=tolerance)


def test_results_come_in_order_at_the_images_own_sizes(predictor, pictures):
    found = list(predictor.predict(pictures))
    assert [p.anomaly_map.shape for p in found] == [(20 + 7 * i, 31) for i in range(8)]
    assert [p.source for p in found] == [f"image {i}" for i in range(8)]
    for p in found:
        assert p.anomaly_map.dtype == np.float32
        assert 0 <= p.score <= 1
        assert 0 <= p.anomaly_map.min() <= p.anomaly_map.max() <= 1
        assert p.is_anomalous == (p.score >= 0.4)
        assert (p.threshold, p.pixel_threshold) == (0.4, 0.6)


def test_batch_size_changes_nothing(predictor, pictures):
    one_by_one = Predictor(predictor.scorer, CARD, batch_size=1)
    for left, right in zip(predictor.predict(pictures), one_by_one.predict(pictures), strict=True):
        same(left, right)


def test_paths_pil_images_and_arrays_are_the_same_picture(predictor, pictures, tmp_path):
    Image.fromarray(pictures[0]).save(tmp_path / "a.png")
    inputs = [tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(pictures[0]), pictures[0]]
    found = list(predictor.predict(inputs))
    assert found[0].source == found[1].source == str(tmp_path / "a.png")
    for other in found[1:]:
        same(found[0], other)
    [single] = predictor.predict(tmp_path / "a.png")
    same(single, found[0])


def test_the_score_and_map_are_the_models(predictor, pictures):
    model = predictor.scorer.model
    image = tower_input(Image.fromarray(pictures[1]), model.encoder.preprocess)[None]
    alignment = model(model.encoder.encode_image(image))
    [found] = predictor.predict(pictures[1])
    assert found.score == pytest.approx(float(alignment.image_logits.softmax(-1)[0, 1].detach()), abs=1e-6)
    whole = model.anomaly_maps(alignment, 48)[0].detach().numpy()
    np.testing.assert_allclose(found.anomaly_map, resize_map(whole, (27, 31)), atol=1e-6)


def test_thresholds_of_the_call_win(predictor, pictures):
    [low] = predictor.predict(pictures[0], threshold=0.0, pixel_threshold=0.0)
    [high] = predictor.predict(pictures[0], threshold=1.0, pixel_threshold=1.0)
    assert low.is_anomalous
    assert not high.is_anomalous
    assert low.regions[0].area == 20 * 31
    assert high.regions == ()


def test_an_unreadable_image_stops_or_is_recorded(predictor, pictures, tmp_path):
    (tmp_path / "bad.png").write_text("no image")
    inputs = [pictures[0], tmp_path / "bad.png", pictures[1], tmp_path / "none.png"]
    with pytest.raises(ImageReadError, match=r"bad\.png"):
        list(predictor.predict(inputs))
    found = list(predictor.predict(inputs, on_error="skip"))
    assert [type(result) for result in found] == [Prediction, Failure, Prediction, Failure]
    assert "bad.png" in found[1].error
    same(found[2], next(iter(predictor.predict(pictures[1]))))


def test_images_are_read_lazily(predictor, pictures):
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield pictures[0]

    stream = predictor.predict(endless())
    assert isinstance(next(stream), Prediction)
    stream.close()
    assert len(taken) < 20


def test_threads_share_a_predictor(predictor, pictures):
    expected = list(predictor.predict(pictures))
    results: dict[int, list] = {}
    threads = [
        threading.Thread(target=lambda i=i: results.update({i: list(predictor.predict(pictures))}))
        for i in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for found in results.values():
        for left, right in zip(found, expected, strict=True):
            same(left, right)


def test_json_holds_everything_but_the_map(predictor, pictures):
    [found] = predictor.predict(pictures[0], pixel_threshold=0.0)
    values = found.to_dict()
    assert values["height"] == 20
    assert values["regions"][0]["box"] == [0, 0, 31, 20]
    assert Failure("a.png", "why").to_dict() == {"source": "a.png", "error": "why"}


def test_a_tall_thin_image_and_a_single_pixel_work(predictor):
    inputs = [np.zeros((3, 20000), np.uint8), np.zeros((1, 1, 3), np.uint8)]
    found = list(predictor.predict(inputs))
    assert [p.anomaly_map.shape for p in found] == [(3, 20000), (1, 1)]


def test_a_path_object_of_a_folder_is_an_error_not_a_crash(predictor, tmp_path: Path):
    with pytest.raises(ImageReadError):
        list(predictor.predict(tmp_path))


def test_a_folder_stands_for_the_images_in_it(predictor, pictures, tmp_path):
    (tmp_path / "deeper").mkdir()
    for name, picture in zip(("10", "2", "deeper/1"), pictures, strict=False):
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    found = list(predictor.predict([pictures[0], tmp_path]))
    assert [Path(p.source).stem for p in found] == ["image 0", "2", "10", "1"]
    same(found[0], found[2])


def test_one_image_gives_one_result(predictor, pictures, tmp_path):
    one = predictor.predict_one(pictures[2], threshold=0.1)
    [same_one] = predictor.predict(pictures[2])
    same(one, same_one)
    assert one.threshold == 0.1
    assert np.array_equal(np.asarray(one.image), pictures[2])
    Image.fromarray(pictures[2]).save(tmp_path / "a.png")
    assert predictor.predict_one(tmp_path / "a.png").image is None
    with pytest.raises(ConfigError, match="predict takes folders"):
        predictor.predict_one(tmp_path)
    with pytest.raises(ImageReadError):
        predictor.predict_one(tmp_path / "b.png")


def test_large_images_do_not_wait_and_are_read_again_to_be_drawn(predictor, pictures, tmp_path, monkeypatch):
    paths = [tmp_path / f"{i}.png" for i in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(picture).save(path)
    waited = list(predictor.stream(paths))
    monkeypatch.setattr("zerosight.predict.reading.KEPT", 0)
    read_again = list(predictor.stream(paths))
    assert all(one.image is None for one in read_again)
    for one, other in zip(waited, (one.with_photo() for one in read_again), strict=True):
        assert one.image.tobytes() == other.image.tobytes()
        assert one.result.to_dict() == other.result.to_dict()
        assert one.result.anomaly_map.tobytes() == other.result.anomaly_map.tobytes()
    Image.new("RGB", (5, 5)).save(paths[0])
    assert "was replaced" in read_again[0].with_photo().result.error
    paths[1].unlink()
    assert "No such file" in read_again[1].with_photo().result.error
    assert all(one.image is not None for one in predictor.stream(pictures))  # nowhere to be read from again

"""Pixel metrics against scikit-learn, the slow reference and the published values."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from zerosight.errors import ConfigError, DataError
from zerosight.metrics import Metric, PixelMetrics

PARITY = Path(__file__).resolve().parents[1] / "parity" / "metrics"
NAMES = ("auroc", "ap", "f1_max", "f1_threshold", "aupro_exact", "aupro_published")
ENGINES = pytest.mark.parametrize("engine", ["binned", "exact"])


@st.composite
def samples(draw, levels=st.sampled_from([1, 2, 5, 16, 1000])):
    """Draw a few small maps with many ties or few, and their masks."""
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    top = draw(levels)
    ranks = draw(arrays(np.int64, shape, elements=st.integers(0, top)))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    return (ranks / top).astype(dtype), draw(arrays(bool, shape))


def mixed(masks: np.ndarray) -> bool:
    """Say whether there are normal and anomalous pixels."""
    return bool(masks.any() and not masks.all())


def values(metrics: PixelMetrics) -> list[float]:
    table = metrics.compute()
    return [getattr(table, name).value for name in NAMES]


def parity() -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    with np.load(PARITY.with_suffix(".npz")) as file:
        return file["score"], file["mask"], json.loads(PARITY.with_suffix(".json").read_text())


@settings(derandomize=True, deadline=None, max_examples=150)
@given(sample=samples())
def test_the_exact_engine_equals_the_slow_reference(sample, slow):
    assume(mixed(sample[1]))
    expected = slow(*sample)
    np.testing.assert_allclose(
        values(PixelMetrics("exact").update(*sample)), [expected[name] for name in NAMES], atol=1e-9, rtol=0
    )


@settings(derandomize=True, deadline=None, max_examples=150)
@given(sample=samples(), bins=st.sampled_from([1, 2, 3, 8, 64, 2**16]))
def test_the_binned_engine_keeps_its_error_bound(sample, bins):
    assume(mixed(sample[1]))
    exact = PixelMetrics("exact").update(*sample).compute()
    binned = PixelMetrics(bins=bins).update(*sample).compute()
    for name in set(NAMES) - {"f1_threshold"}:
        ours, true = getattr(binned, name), getattr(exact, name)
        if ours.is_defined and true.is_defined:
            assert abs(ours.value - true.value) <= ours.error + 1e-12, name


@settings(derandomize=True, deadline=None, max_examples=60)
@given(sample=samples(), order=st.randoms(use_true_random=False), engine=st.sampled_from(["binned", "exact"]))
def test_neither_order_nor_batches_nor_shards_matter(sample, order, engine):
    maps, masks = sample
    whole = values(PixelMetrics(engine).update(maps, masks))
    shards = [PixelMetrics(engine).update(maps[i], masks[i]) for i in range(len(maps))]
    order.shuffle(shards)
    merged = PixelMetrics(engine)
    for shard in shards:
        merged.merge(shard)
    one_by_one = PixelMetrics(engine)
    for scores, mask in zip(maps, masks, strict=True):
        one_by_one.update(scores, mask)
    np.testing.assert_allclose(values(merged), whole, atol=1e-12, rtol=0)
    np.testing.assert_array_equal(values(one_by_one), whole)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(sample=samples(), data=st.data())
def test_a_rising_transformation_changes_no_exact_metric(sample, data):
    maps, masks = sample
    assume(mixed(masks))
    levels, ranks = np.unique(maps, return_inverse=True)
    steps = data.draw(arrays(float, levels.size, elements=st.floats(1e-3, 1e3)))
    moved = (np.cumsum(steps) - 500.0)[ranks].reshape(maps.shape)
    before, after = (PixelMetrics("exact").update(m, masks).compute() for m in (maps, moved))
    for name in ("auroc", "ap", "f1_max", "aupro_exact"):
        assert getattr(before, name) == getattr(after, name)
    assert (maps >= before.f1_threshold.value).tolist() == (moved >= after.f1_threshold.value).tolist()


@ENGINES
def test_smooth_maps_agree_with_scikit_learn(engine):
    rng = np.random.default_rng(1)
    masks = rng.random((4, 60, 60)) < 0.05
    maps = np.clip(rng.beta(2, 6, masks.shape) + 0.2 * masks, 0, 1).astype(np.float32)
    table = PixelMetrics(engine).update(maps, masks).compute()
    scores, labels = maps.ravel(), masks.ravel()
    precision, recall, thresholds = precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / (precision + recall)
    tolerance = 1e-9 if engine == "exact" else 1e-4
    assert table.auroc.value == pytest.approx(roc_auc_score(labels, scores), abs=tolerance)
    assert table.ap.value == pytest.approx(average_precision_score(labels, scores), abs=tolerance)
    assert table.f1_max.value == pytest.approx(f1.max(), abs=tolerance)
    assert table.f1_threshold.value == pytest.approx(thresholds[f1.argmax()], abs=2**-16)
    assert (table.images, table.normal, table.anomalous) == (4, (~masks).sum(), masks.sum())


@ENGINES
def test_the_published_values_are_reproduced(engine):
    maps, masks, expected = parity()
    table = PixelMetrics(engine).update(maps, masks).compute()
    tolerance = 1e-9 if engine == "exact" else 1e-4
    assert table.auroc.value == pytest.approx(expected["pixel_auroc"], abs=tolerance)
    assert table.ap.value == pytest.approx(expected["pixel_ap"], abs=tolerance)
    assert table.f1_max.value == pytest.approx(expected["pixel_f1"], abs=max(tolerance, 1e-8))
    assert table.aupro_published.value == pytest.approx(expected["pixel_aupro"], abs=tolerance)


@ENGINES
def test_constant_scores(engine):
    maps, masks = np.full((1, 4, 4), 0.5), np.eye(4, dtype=bool)[None]
    table = PixelMetrics(engine).update(maps, masks).compute()
    assert table.auroc.value == 0.5
    assert table.ap.value == 0.25
    assert (table.f1_max.value, table.f1_threshold.value) == (0.4, 0.5)
    assert table.aupro_exact.value == pytest.approx(0.15, abs=1e-12)
    assert table.aupro_published.reason == "all scores are equal"


@ENGINES
def test_a_corner_joins_two_regions_into_one(engine):
    mask = np.zeros((6, 6), dtype=bool)
    mask[0, 0] = mask[1, 1] = mask[4, 4] = True
    scores = np.where(mask, 0.9, 0.1)
    scores[0, 0] = 0.0
    table = PixelMetrics(engine).update(scores, mask).compute()
    assert table.regions == 2
    assert table.aupro_exact.value == pytest.approx(0.75, abs=1e-12)


@ENGINES
@pytest.mark.parametrize(
    ("fill", "reason"), [(0, "no anomalous pixels"), (1, "no normal pixels")], ids=["normal", "anomalous"]
)
def test_a_missing_class_makes_every_metric_undefined(engine, fill, reason):
    table = PixelMetrics(engine).update(np.full((2, 3, 3), 0.5), np.full((2, 3, 3), fill)).compute()
    assert all(getattr(table, name).reason == reason for name in NAMES)
    assert table.to_json()["aupro_exact"] == {"value": None, "reason": reason, "error": 0.0}


@ENGINES
def test_nothing_counted_is_undefined(engine):
    metrics = PixelMetrics(engine)
    assert metrics.compute().auroc.reason == "no normal and no anomalous pixels"
    assert metrics.update(np.empty((0, 4, 4)), np.empty((0, 4, 4), bool)).compute().images == 0


@ENGINES
def test_a_mask_that_vanished_adds_normal_pixels_only(engine):
    rng = np.random.default_rng(0)
    maps, masks = rng.random((2, 5, 5)), np.zeros((2, 5, 5), dtype=np.uint8)
    masks[0, 2, 2] = 1
    table = PixelMetrics(engine).update(maps, masks).compute()
    assert (table.images, table.regions, table.normal) == (2, 1, 49)
    assert table.aupro_exact.is_defined


@ENGINES
def test_maps_of_different_sizes_count_together(engine):
    metrics = PixelMetrics(engine).update(np.eye(3), np.eye(3, dtype=bool))
    table = metrics.update(np.zeros((4, 7)), np.zeros((4, 7), bool)).compute()
    assert (table.normal, table.anomalous, table.auroc.value) == (34, 3, 1.0)


@ENGINES
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_names_its_map(engine, bad):
    maps = np.zeros((3, 2, 2), dtype=np.float32)
    maps[2, 1, 0] = bad
    metrics = PixelMetrics(engine).update(np.zeros((2, 2)), np.zeros((2, 2), bool))
    with pytest.raises(DataError, match=r"^map 3 holds NaN or infinite scores"):
        metrics.update(maps, np.zeros((3, 2, 2), bool))
    assert metrics.compute().images == 1


def test_scores_outside_the_range_are_refused_not_rescaled():
    logits = np.array([[-3.0, 4.0]])
    with pytest.raises(
        DataError, match=r"map 0 has scores from -3 to 4, outside score_range \(0, 1\): pass a"
    ):
        PixelMetrics().update(logits, np.array([[0, 1]]))
    for metrics in (PixelMetrics("exact"), PixelMetrics(score_range=(-3.0, 4.0))):
        assert metrics.update(logits, np.array([[0, 1]])).compute().auroc.value == 1.0


def test_rounding_just_outside_the_range_is_accepted():
    maps = np.array([[-1e-8, np.nextafter(np.float32(1), np.float32(2))]])
    assert PixelMetrics().update(maps, np.array([[0, 1]])).compute().auroc.value == 1.0


@ENGINES
@pytest.mark.parametrize(
    ("maps", "masks", "message"),
    [
        (np.zeros((2, 2)), np.zeros((2, 3), bool), r"maps have shape \(2, 2\) and masks \(2, 3\)"),
        (np.zeros((2, 2)), np.full((2, 2), 255, np.uint8), "values from 255 to 255, not only 0 and 1"),
        (np.zeros((2, 2)), np.full((2, 2), 0.5), "values from 0.5 to 0.5, not only 0 and 1"),
        (np.zeros((1, 0, 2)), np.zeros((1, 0, 2), bool), "map 0 holds no scores"),
    ],
)
def test_wrong_masks_and_shapes_are_refused(engine, maps, masks, message):
    with pytest.raises(DataError, match=message):
        PixelMetrics(engine).update(maps, masks)


def test_shards_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="same engine"):
        PixelMetrics("exact").merge(PixelMetrics())
    with pytest.raises(DataError, match="same bins and score_range"):
        PixelMetrics(bins=4).merge(PixelMetrics(bins=8))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "fast"}, "engine is 'fast': it must be 'binned' or 'exact'"),
        ({"bins": 0}, "bins is 0"),
        ({"score_range": (1.0, 1.0)}, "low < high"),
        ({"score_range": (0.0, math.inf)}, "finite"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        PixelMetrics(**options)


def test_a_state_is_never_changed_in_place():
    metrics = PixelMetrics(bins=4)
    before = metrics.state
    metrics.update(np.eye(3), np.eye(3, dtype=bool))
    assert before.normal.sum() == before.anomalous.sum() == before.images == 0


@ENGINES
def test_curves_run_from_nothing_to_everything(engine):
    maps, masks, _ = parity()
    curves = PixelMetrics(engine).update(maps, masks).curves(points=64)
    assert 32 <= curves.thresholds.size <= 66
    for rate in (curves.false_positive_rate, curves.recall, curves.overlap):
        assert rate[0] == 0
        assert rate[-1] == pytest.approx(1, abs=1e-12)
        assert (np.diff(rate) >= 0).all()
    assert curves.thresholds[0] == math.inf
    assert curves.precision[-1] == pytest.approx(masks.mean())


def test_curves_of_a_missing_class_are_blank():
    curves = PixelMetrics().update(np.eye(2), np.zeros((2, 2), bool)).curves()
    assert np.isnan(curves.recall).all()
    assert not np.isnan(curves.false_positive_rate).any()


def test_the_stated_error_of_the_published_maps_is_small():
    maps, masks, _ = parity()
    table = PixelMetrics().update(maps, masks).compute()
    errors = {name: getattr(table, name).error for name in NAMES}
    assert errors.pop("f1_threshold") is None
    assert max(errors.values()) < 1e-4


def test_a_metric_prints_its_value_or_its_reason():
    assert str(Metric(0.51234)) == "0.5123"
    assert str(Metric.undefined("no masks")) == "n/a (no masks)"

"""Fitting: leave-one-out, blocks, wrong normals, thresholds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zerosight.errors import ConfigError, DataError
from zerosight.models.references.card import EstimatorName
from zerosight.models.references.fit import Fitted, add_block, build
from zerosight.models.references.model import References
from zerosight.models.references.scorer import ReferencesToMap, see_block


class Run:
    """Runs fitted references."""

    def __init__(self, references: References) -> None:
        self.network = ReferencesToMap(references)

    def score(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode():
            scores, maps = self.network(torch.from_numpy(pixels))
        return scores.numpy(), maps.numpy()


def run(fitted: Fitted) -> Run:
    return Run(fitted.references)


def test_references_tell_defects_from_normals(base, block, pictures):
    scorer = run(build(base, add_block(None, block)))
    normal, _ = scorer.score(pictures(8, seed=5))
    anomalous, maps = scorer.score(pictures(8, seed=6, defects=True))
    assert anomalous.min() > normal.max()
    assert anomalous.min() >= 0.5
    inside, outside = maps[:, 18:30, 18:30].mean(), maps[:, :8].mean()
    assert inside > outside


def test_what_words_say_of_normal_patches_is_taken_away(base, block):
    references = build(base, add_block(None, block)).references
    sources = references.sources(block.words[:1], tuple(level[:1] for level in block.levels))
    _, alike = references.searches[0].compare(block.levels[0][0])
    others = [
        search.compare(level[0])[1] for search, level in zip(references.searches, block.levels, strict=True)
    ]
    torch.testing.assert_close(sources[0, : alike.shape[1]], block.words[0] - torch.stack(others).mean(0).T)
    assert sources[:, : alike.shape[1]].std() < block.words[:1].std()


def test_held_out_scores_are_those_of_references_made_without_the_image(base, block):
    both: tuple[EstimatorName, ...] = ("subspace", "nearest")
    normals = add_block(None, block.take([0, 1, 2, 3]), both)
    rest = build(base, add_block(None, block.take([1, 2, 3]), both)).references
    alone = block.take([0])
    found = torch.stack([fit(alone.levels[i]) for i, fit in enumerate(rest.subspaces)]).mean(0)
    torch.testing.assert_close(normals.held_out[0, -2], found[0], atol=2e-3, rtol=1e-2)


def test_batches_change_nothing(base, pictures, names_of):
    one = see_block(base, pictures(5), *names_of(5), batch_size=1)
    all_at_once = see_block(base, pictures(5), *names_of(5), batch_size=5)
    for left, right in zip(one.levels, all_at_once.levels, strict=True):
        torch.testing.assert_close(left, right, atol=1e-5, rtol=1e-4)


def test_more_normals_are_added_without_the_old_images(base, block, pictures):
    first = add_block(None, block.take(list(range(6))))
    both = add_block(first, block.take(list(range(6, 12))))
    at_once = add_block(None, block)
    assert both.names == at_once.names
    assert torch.equal(both.held_out[:6], first.held_out)
    for left, right in zip(both.moments, at_once.moments, strict=True):
        torch.testing.assert_close(left.products, right.products, atol=1e-5, rtol=1e-4)
    pixels = pictures(6, seed=9, defects=True)
    scores = [run(build(base, n)).score(pixels)[0] for n in (both, at_once)]
    assert np.abs(scores[0] - scores[1]).max() < 0.2


def test_one_in_ten_that_is_wrong_is_left_out_and_named(base, pictures, names_of):
    pixels = np.concatenate([pictures(18), pictures(2, seed=3, defects=True)])
    normals = add_block(None, see_block(base, pixels, *names_of(20)))
    assert {suspect.name for suspect in normals.suspects} == {"18.png", "19.png"}
    assert len(normals) == 18
    assert not {18, 19} & set(normals.coresets[0].owners.tolist())


def test_a_single_normal_is_judged_by_its_halves(base, block, pictures):
    fitted = build(base, add_block(None, block.take([0])))
    assert fitted.image.images == 1
    assert not fitted.image.kept
    scores, maps = run(fitted).score(pictures(2))
    assert np.isfinite(scores).all()
    assert np.isfinite(maps).all()


def test_identical_normals_are_no_division_by_zero(base, pictures, names_of):
    pixels = np.repeat(pictures(1), 4, axis=0)
    fitted = build(base, add_block(None, see_block(base, pixels, *names_of(4))))
    scores, _ = run(fitted).score(pictures(3, defects=True))
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("alpha", [0.0, 0.6, float("nan")])
def test_alpha_out_of_range_is_one_line(base, block, alpha):
    with pytest.raises(ConfigError, match=r"alpha: .* \(0, 0.5\]"):
        build(base, add_block(None, block.take([0, 1])), alpha)


def test_no_image_is_one_line(block):
    with pytest.raises(DataError, match="no normal image"):
        add_block(None, block.take([]))

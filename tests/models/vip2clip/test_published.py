"""Published checkpoints: there and back, the quirk, and files that are something else."""

from __future__ import annotations

import os

import pytest
import torch

from zerosight.backbones.tiny import tiny_encoder
from zerosight.errors import WeightsError
from zerosight.models.vip2clip.model import Vip2Clip, Vip2ClipConfig
from zerosight.models.vip2clip.published import import_published, to_published


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(5)
    model = Vip2Clip(tiny_encoder(), Vip2ClipConfig(n_context=4, normal_word="damaged"))
    path = tmp_path / "epoch_10.pth"
    torch.save(to_published(model), path)
    return model, path


def test_there_and_back_gives_the_same_model(checkpoint, features):
    model, path = checkpoint
    found, notes = import_published(path, model.encoder)
    assert found.config == model.config
    assert any("both prompts" in note for note in notes)
    features = model.encoder.encode_image(torch.zeros(1, 3, 48, 48))
    torch.testing.assert_close(found(features).cosines, model(features).cosines)


def test_names_and_shapes_are_those_of_the_published_code(checkpoint):
    state = torch.load(checkpoint[1], weights_only=True)
    assert state["prompt_learner"]["token_suffix_pos"].shape == (1, 77 - 1 - 4 - 1 - 3, 32)
    assert state["Zero_try"]["q_proj_pre.weight"].shape == (48, 48, 1)


def test_a_checkpoint_with_the_right_words_has_no_quirk_note(tmp_path):
    model = Vip2Clip(tiny_encoder())
    torch.save(to_published(model), tmp_path / "ours.pth")
    found, notes = import_published(tmp_path / "ours.pth", model.encoder)
    assert found.config.normal_word == "good"
    assert not any("quirk" in note for note in notes)


def test_a_checkpoint_of_another_backbone_is_refused(checkpoint):
    state = torch.load(checkpoint[1], weights_only=True)
    state["Zero_try"]["q_proj_pre.weight"] = torch.zeros(64, 64, 1)
    torch.save(state, checkpoint[1])
    with pytest.raises(WeightsError, match="does not fit this backbone"):
        import_published(checkpoint[1], tiny_encoder())


@pytest.mark.parametrize("content", [{"state_dict": {}}, {}, {"prompt_learner": {}, "Zero_try": {}}])
def test_another_models_checkpoint_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="is not a ViP²-CLIP checkpoint"):
        import_published(tmp_path / "other.pth", tiny_encoder())


def test_a_file_cut_short_is_refused(checkpoint):
    _, path = checkpoint
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(WeightsError, match="damaged or not a PyTorch file"):
        import_published(path, tiny_encoder())


class Malicious:
    def __reduce__(self):
        return os.mkdir, ("zerosight-was-here",)


def test_a_malicious_pickle_is_not_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"prompt_learner": Malicious(), "Zero_try": {}}, "evil.pth")
    with pytest.raises(WeightsError, match="it was not opened"):
        import_published(tmp_path / "evil.pth", tiny_encoder())
    assert not (tmp_path / "zerosight-was-here").exists()

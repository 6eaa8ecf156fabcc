"""Weights of CLIP: every way in, and every way it can fail, without a network."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from zerosight.backbones.build import build_encoder
from zerosight.backbones.config import parse_backbone
from zerosight.backbones.openclip_load import clip_from_state_dict, load_openclip
from zerosight.backbones.tiny import tiny_encoder
from zerosight.errors import ConfigError, WeightsError


@pytest.fixture(scope="module")
def openai_state() -> dict[str, torch.Tensor]:
    """Return a state dict in OpenAI's format: 64-wide heads in both towers, half precision, extra entries."""
    from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

    torch.manual_seed(0)
    vision = CLIPVisionCfg(layers=2, width=64, patch_size=8, image_size=32)
    clip = CLIP(48, vision, CLIPTextCfg(width=64, heads=1, layers=2), quick_gelu=True)
    state = {name: tensor.half() for name, tensor in clip.state_dict().items()}
    return state | {"input_resolution": torch.tensor(32), "context_length": torch.tensor(77)}


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_an_openai_state_dict_loads_from_a_file(tmp_path, openai_state, suffix):
    path = tmp_path / f"clip{suffix}"
    save_file(openai_state, path) if suffix == ".safetensors" else torch.save(openai_state, path)
    encoder = build_encoder(parse_backbone(str(path), 48))
    assert (encoder.dim, encoder.text_width, encoder.grid, encoder.levels) == (48, 64, 6, 2)
    expected = clip_from_state_dict(openai_state)
    assert torch.equal(encoder.model.visual.proj, expected.visual.proj)
    assert encoder.model.visual.proj.dtype == torch.float32


def test_a_folder_in_open_clips_format_loads(tmp_path):
    clip = tiny_encoder(4).model
    config = {
        "model_cfg": {
            "embed_dim": 48,
            "quick_gelu": True,
            "vision_cfg": {"layers": 4, "width": 64, "head_width": 32, "patch_size": 8, "image_size": 32},
            "text_cfg": {"width": 32, "heads": 2, "layers": 2},
        },
        "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
    }
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    save_file(clip.state_dict(), tmp_path / "open_clip_model.safetensors")
    encoder = load_openclip(str(tmp_path))
    assert encoder.preprocess.mean == (0.5, 0.5, 0.5)
    assert encoder.preprocess.size == 32
    assert torch.equal(encoder.model.visual.proj, clip.visual.proj)


def test_an_architecture_with_random_weights_is_seeded():
    one, two = (load_openclip("ViT-S-32-alt", f"random:{seed}", 64) for seed in (0, 0))
    assert one.fingerprint == two.fingerprint


@pytest.mark.parametrize(
    ("model", "weights", "error", "message"),
    [
        ("ViT-L-14-336-quikgelu", None, ConfigError, "did you mean 'ViT-L-14-336-quickgelu'"),
        ("ViT-B-32", None, ConfigError, "needs weights: one of its tags .*openai.* or a file"),
        ("ViT-B-32", "nonsense", WeightsError, "'nonsense' is neither a file nor a tag"),
        ("hf-hub:nobody/nothing", None, WeightsError, "nobody/nothing of the Hugging Face hub.*'lite'"),
    ],
)
def test_what_cannot_be_had_is_said_in_one_line(model, weights, error, message):
    with pytest.raises(error, match=message) as caught:
        load_openclip(model, weights)
    assert "\n" not in str(caught.value)


def test_missing_openai_weights_name_the_file_to_get(monkeypatch):
    import open_clip

    def offline(*_: object, **__: object) -> None:
        raise RuntimeError("no network")

    monkeypatch.setattr(open_clip, "create_model_and_transforms", offline)
    with pytest.raises(WeightsError, match=r"get https://.*ViT-L-14-336px\.pt on another machine.*'lite'"):
        build_encoder(parse_backbone("paper"))


def test_a_state_dict_of_something_else_is_refused(tmp_path):
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="not an OpenAI-format state dict of a ViT CLIP"):
        load_openclip(str(tmp_path / "other.pt"))


@pytest.mark.filterwarnings("ignore")
def test_a_torchscript_archive_that_openai_did_not_publish_is_not_opened(tmp_path):
    path = tmp_path / "clip.pt"
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), path)
    with pytest.raises(WeightsError, match="a TorchScript archive that OpenAI did not publish"):
        load_openclip(str(path))


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="is not a folder in open_clip's format"):
        load_openclip(str(tmp_path))

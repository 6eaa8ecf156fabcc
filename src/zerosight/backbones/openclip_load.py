"""Finding and opening CLIP weights: by open_clip's name, from the hub, a folder, or a state dict."""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import open_clip
import torch
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg, CustomTextCLIP
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor, nn

from zerosight.backbones.openclip import OPENAI_MEAN, OPENAI_STD, OpenClipEncoder
from zerosight.backbones.text_towers import Tokenizer
from zerosight.backbones.timm_tower import is_transformer
from zerosight.errors import ConfigError, WeightsError, did_you_mean, one_line
from zerosight.files import sha256
from zerosight.guarded.archives import zip_names
from zerosight.logs import unheard
from zerosight.preprocess import Preprocess
from zerosight.weights import load_pickled_tensors, load_tensors

OFFLINE = "without network, 'lite' needs no download"
Rgb = tuple[float, float, float]
NOT_IN_STATE_DICT = ("input_resolution", "context_length", "vocab_size")


def simple_tokenizer(texts: list[str]) -> Tensor:
    """Return CLIP's token ids, 77 per text."""
    return SimpleTokenizer()(texts)


def load_openclip(
    model: str,
    weights: str | None = None,
    image_size: int | None = None,
    blocks: tuple[int, ...] | None = None,
    paper: bool = True,
) -> OpenClipEncoder:
    """Return a frozen CLIP.

    Args:
        model: An architecture of open_clip (``ViT-L-14-336-quickgelu``), ``hf-hub:OWNER/NAME``, a folder in
            open_clip's format, or a file with an OpenAI-format state dict.
        weights: With an architecture's name: a tag of open_clip (``openai``), a file, or ``random:SEED``.
        image_size: Input size in pixels; None takes the size that the weights were trained at.
        blocks: Tapped blocks, counted from 1.
        paper: See :class:`~zerosight.backbones.vit.TappedViT`.

    Raises:
        WeightsError: The weights cannot be had here; the message names the file to get.
        ConfigError: The architecture is unknown, or has a tower that is not read.
    """
    path = Path(model).expanduser()
    if path.is_file():
        clip, mean, std = clip_from_state_dict(load_clip_state_dict(path)), OPENAI_MEAN, OPENAI_STD
        tokenizer: Tokenizer = simple_tokenizer
    else:
        name = f"local-dir:{path}" if path.is_dir() else model
        clip, mean, std = _create(name, weights)
        tokenizer = simple_tokenizer if clip.vocab_size == 49408 else _tokenizer(name)
    size = image_size or _native_size(clip)
    return OpenClipEncoder(clip, tokenizer, Preprocess(size, mean, std), blocks, paper)


def clip_from_state_dict(state: Mapping[str, Tensor]) -> CLIP:
    """Return the fp32 CLIP that an OpenAI-format state dict describes (names, shapes, QuickGELU).

    Raises:
        WeightsError: It is not the state dict of a ViT CLIP.
    """
    state = {name: tensor.float() for name, tensor in state.items() if name not in NOT_IN_STATE_DICT}
    try:
        patch = state["visual.conv1.weight"].shape[-1]
        vision = CLIPVisionCfg(
            layers=_count(state, "visual.transformer.resblocks."),
            width=state["visual.conv1.weight"].shape[0],
            patch_size=patch,
            image_size=patch * round((len(state["visual.positional_embedding"]) - 1) ** 0.5),
        )
        text = CLIPTextCfg(
            context_length=len(state["positional_embedding"]),
            vocab_size=len(state["token_embedding.weight"]),
            width=len(state["ln_final.weight"]),
            heads=len(state["ln_final.weight"]) // 64,
            layers=_count(state, "transformer.resblocks."),
        )
        clip = CLIP(state["text_projection"].shape[1], vision, text, quick_gelu=True)
        clip.load_state_dict(state)
    except KeyError as error:
        raise WeightsError(f"not an OpenAI-format state dict of a ViT CLIP: lacks {error}") from None
    except RuntimeError as error:
        raise WeightsError(f"not a ViT CLIP: {' '.join(str(error).split())[:200]}") from None
    return clip


def load_clip_state_dict(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a CLIP weight file: safetensors, a saved state dict, or OpenAI's own archive.

    OpenAI's files are TorchScript archives. Such an archive is opened only if its SHA-256 is one that OpenAI
    publishes, because opening it can run code.

    Raises:
        WeightsError: The file is damaged, unsafe, or an archive that OpenAI did not publish.
    """
    if path.suffix == ".safetensors":
        return load_tensors(path)
    if _is_torchscript(path):
        if sha256(path) not in _openai_hashes():
            raise WeightsError(
                f"{path}: is a TorchScript archive that OpenAI did not publish; opening it could run code, "
                "so give a state dict or safetensors file"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.jit is deprecated; OpenAI's files are as they are
            return dict(torch.jit.load(path, map_location="cpu").state_dict())
    content = load_pickled_tensors(path)
    return content.get("state_dict", content)


def _create(name: str, weights: str | None) -> tuple[CLIP | CustomTextCLIP, Rgb, Rgb]:
    schema = ":" in name
    if not schema and open_clip.get_model_config(name.replace("/", "-")) is None:
        hint = did_you_mean(name, open_clip.list_models())
        raise ConfigError(
            f"backbone: no file, folder or open_clip architecture is called '{name}'{hint}; "
            "`zerosight models --backbones` lists the architectures"
        )
    if not schema and weights and weights.startswith("random:"):
        return _random(name, int(weights.removeprefix("random:"))), *_usual_constants(name)
    if not schema and weights is None:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(name)) or "none known"
        raise ConfigError(f"backbone: '{name}' needs weights: one of its tags ({tags}) or a file")
    if not schema and weights and Path(weights).is_file():
        return _from_file(name, Path(weights)), *_usual_constants(name)
    try:
        model, _, transform = open_clip.create_model_and_transforms(name, pretrained=weights)
    except (RuntimeError, OSError, ValueError) as error:
        raise WeightsError(f"{_what_to_get(name, weights)} ({' '.join(str(error).split())[:160]})") from None
    return _readable(model, name), _rgb(transform.transforms[-1].mean), _rgb(transform.transforms[-1].std)


def _rgb(values: Sequence[float]) -> Rgb:
    """Return a number per channel."""
    red, green, blue = values
    return red, green, blue


def _usual_constants(name: str) -> tuple[Rgb, Rgb]:
    """Return mean and deviation of the first weights that open_clip knows for an architecture."""
    for tag in open_clip.list_pretrained_tags_by_model(name):
        known = open_clip.pretrained.get_pretrained_cfg(name.replace("/", "-"), tag)
        return _rgb(known.get("mean") or OPENAI_MEAN), _rgb(known.get("std") or OPENAI_STD)
    return OPENAI_MEAN, OPENAI_STD


def _tokenizer(name: str) -> Tokenizer:
    """Return the tokenizer of an architecture that has not CLIP's.

    Raises:
        WeightsError: It is not to be had here.
    """
    try:
        return open_clip.get_tokenizer(name)
    except (RuntimeError, OSError, ValueError) as error:
        if name.startswith("local-dir:"):
            what = f"{name.removeprefix('local-dir:')}: lacks its tokenizer's files; put them there"
        else:
            source = (open_clip.get_model_config(name) or {}).get("text_cfg", {}).get("hf_tokenizer_name")
            what = (
                f"the tokenizer of {name} could not be downloaded: save {source or 'it'} of the Hugging Face "
                f"hub beside the weights in a folder of open_clip's format, and give that; {OFFLINE}"
            )
        raise WeightsError(f"{what} ({one_line(str(error), 160)})") from None


def _bare(name: str) -> CLIP | CustomTextCLIP:
    """Return an architecture with random weights.

    Raises:
        WeightsError: Its text tower is described by Hugging Face's hub, which is out of reach.
    """
    try:
        with unheard(logging.WARNING):  # of random weights, where they are meant or replaced
            model = open_clip.create_model(name, load_weights=False, pretrained_text=False)
    except (RuntimeError, OSError, ValueError) as error:
        source = open_clip.get_model_config(name)["text_cfg"].get("hf_model_name")
        what = f"the text tower of {name}, {source} of the Hugging Face hub, could not be had"
        raise WeightsError(f"{what}; {OFFLINE} ({one_line(str(error), 160)})") from None
    return _readable(model, name)


def _readable(model: nn.Module, name: str) -> CLIP | CustomTextCLIP:
    """Return a model of two towers as it is.

    Raises:
        ConfigError: It has more than two.
    """
    if not isinstance(model, CLIP | CustomTextCLIP):
        kind = type(model).__name__
        raise ConfigError(f"backbone: '{name}' is a {kind}, which is not read; choose one such as ViT-B-16")
    return model


def _from_file(name: str, path: Path) -> CLIP | CustomTextCLIP:
    model = _bare(name)
    state = {k: v for k, v in load_clip_state_dict(path).items() if k not in NOT_IN_STATE_DICT}
    try:
        model.load_state_dict({k: v.float() for k, v in state.items()})
    except (RuntimeError, AttributeError) as error:
        raise WeightsError(f"{path}: is not of '{name}': {' '.join(str(error).split())[:160]}") from None
    return model


def _random(name: str, seed: int) -> CLIP | CustomTextCLIP:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _bare(name)


def _what_to_get(name: str, weights: str | None) -> str:
    """Say in one line which file is missing, where it goes, and what works without it."""
    if name.startswith("local-dir:"):
        return f"{name.removeprefix('local-dir:')}: is not a folder in open_clip's format"
    config = open_clip.pretrained.get_pretrained_cfg(name.replace("/", "-"), weights) if weights else None
    if name.startswith("hf-hub:"):
        source = f"the repository {name.removeprefix('hf-hub:')} of the Hugging Face hub"
    elif config:
        source = config.get("url") or f"the repository {config['hf_hub'].rstrip('/')} of the Hugging Face hub"
    else:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(name)) or "none known"
        return f"'{weights}' is neither a file nor a tag of {name} ({tags})"
    return (
        f"the weights of {name} could not be downloaded: get {source} on another machine and give the file "
        f"or folder as the backbone; {OFFLINE}"
    )


def _native_size(clip: CLIP | CustomTextCLIP) -> int:
    """Return the size of the weights; 378 for SigLIP's 384, of whose 14-pixel patches 27 fit."""
    size = int(clip.visual.image_size[0])
    trunk = getattr(clip.visual, "trunk", None)
    patch = trunk.patch_embed.patch_size[0] if trunk is not None and is_transformer(clip.visual) else 1
    return size // patch * patch


def _is_torchscript(path: Path) -> bool:
    return any(name.endswith("/constants.pkl") for name in zip_names(path))


def _count(state: Mapping[str, Tensor], prefix: str) -> int:
    return len({name.removeprefix(prefix).split(".")[0] for name in state if name.startswith(prefix)})


def _openai_hashes() -> set[str]:
    urls = (
        open_clip.pretrained.get_pretrained_url(*pair)
        for pair in open_clip.list_pretrained()
        if pair[1] == "openai"
    )
    return {part for url in urls for part in url.split("/") if len(part) == hashlib.sha256().digest_size * 2}

"""From a configuration to a multimodal model: the hub, a folder, or a random miniature."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, get_args

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from zerosight.backbones.mllm import lite
from zerosight.backbones.mllm.config import MllmConfig
from zerosight.backbones.mllm.model import Mllm, Origin
from zerosight.backbones.mllm.shapes import Shape, shape_of
from zerosight.backbones.mllm.source import find_folder, hash_files, licence_of, read_json
from zerosight.backbones.mllm.tiny import TinyShape, random_mllm
from zerosight.errors import ConfigError, MissingExtraError, WeightsError, did_you_mean
from zerosight.preprocess import Preprocess

RANDOM = "random:"
FAILURES = (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError)


def load_mllm(config: MllmConfig) -> Mllm:
    """Return a model, frozen, as the configuration says it is to be read.

    No code that comes with a model is run and no pickle is opened.

    Raises:
        ConfigError: The model's name or the layer to read is not possible.
        WeightsError: Its files are not to be had, damaged, or not of a known vision-language shape.
        MissingExtraError: Weights in fewer bits need a package that is not installed.
    """
    if config.model.startswith(RANDOM):
        return _random(config)
    if config.model == lite.NAME:
        return lite.lite_mllm(config)
    if config.quantise != "none" and importlib.util.find_spec("bitsandbytes") is None:
        raise MissingExtraError(
            "the package 'bitsandbytes' is not installed; run: pip install 'zerosight[quantised]'"
        )
    folder = find_folder(config.model, config.revision)
    about = _config(folder, config.model)
    preprocess = _preprocess(folder, about)
    tokenizer = _tokenizer(folder, about)
    model = _model(folder, about, config)
    origin = Origin(config.model, hash_files(folder), licence_of(folder, config.model))
    return Mllm(model, tokenizer, preprocess, config, origin)


def _random(config: MllmConfig) -> Mllm:
    shape = config.model.removeprefix(RANDOM)
    known: tuple[TinyShape, ...] = get_args(TinyShape)
    for name in known:
        if name == shape:
            return random_mllm(name, config.seed, config)
    raise ConfigError(
        f"model: '{config.model}' is no random model{did_you_mean(shape, known)}; "
        f"give {RANDOM} and one of {', '.join(known)}"
    )


def _config(folder: Path, source: str) -> PreTrainedConfig:
    """Return the model's own configuration after checking that it is of a known shape."""
    kind = read_json(folder / "config.json").get("model_type")
    if kind is None:
        raise WeightsError(
            f"{source}: has no config.json that names a model_type, so it is no model's folder"
        )
    shape_of(str(kind), source)
    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except FAILURES as error:
        raise WeightsError(f"{source}: its config.json cannot be used ({_line(error)})") from None
    return config


def _model(folder: Path, about: PreTrainedConfig, config: MllmConfig) -> PreTrainedModel:
    try:
        loaded: Any = AutoModelForImageTextToText.from_pretrained(
            folder,
            config=about,
            dtype=config.dtype,
            device_map=config.device_map,
            quantization_config=_quantisation(config, about),
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except FAILURES as error:
        raise WeightsError(
            f"{config.model}: cannot be loaded ({_line(error)}); it needs complete safetensors, "
            "as pickled weights are never opened"
        ) from None
    model: PreTrainedModel = loaded[0]
    missing = loaded[1]["missing_keys"]
    if missing:
        raise WeightsError(f"{config.model}: its weights lack '{min(missing)}'; download them again")
    return model


def _quantisation(config: MllmConfig, about: PreTrainedConfig) -> BitsAndBytesConfig | None:
    """Return how the decoder's weights are stored in fewer bits; the rest stays as it is."""
    if config.quantise == "none":
        return None
    precise = {"float32": torch.float32, "float16": torch.float16}.get(config.dtype, torch.bfloat16)
    return BitsAndBytesConfig(
        load_in_8bit=config.quantise == "8bit",
        load_in_4bit=config.quantise == "4bit",
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=precise,
        llm_int8_skip_modules=_unquantised(shape_of(about.model_type, config.model)),
    )


def _unquantised(shape: Shape) -> list[str]:
    """Return the names of the parts that keep their precision."""
    return [f"model.{shape.tower}", f"model.{shape.projector}", "lm_head"]


def _tokenizer(folder: Path, about: PreTrainedConfig) -> PreTrainedTokenizerBase:
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except FAILURES as error:
        raise WeightsError(f"{folder}: has no tokenizer that can be used ({_line(error)})") from None
    if about.image_token_id not in tokenizer.get_vocab().values():
        raise WeightsError(
            f"{folder}: its tokenizer has no image token (id {about.image_token_id}); "
            "use the one saved with the model"
        )
    if tokenizer.chat_template is None:
        tokenizer.chat_template = read_json(folder / "chat_template.json").get("chat_template")
    return tokenizer


def _preprocess(folder: Path, about: PreTrainedConfig) -> Preprocess:
    """Return the tower's own input size and the mean and spread that the folder names."""
    facts: dict[str, Any] = read_json(folder / "processor_config.json").get("image_processor") or {}
    facts = facts or read_json(folder / "preprocessor_config.json")
    size = about.vision_config.image_size
    try:
        mean, std = (tuple(float(facts[key][c]) for c in range(3)) for key in ("image_mean", "image_std"))
        side = int(size if isinstance(size, int) else size[0])
    except (KeyError, IndexError, TypeError, ValueError):
        raise WeightsError(
            f"{folder}: lacks image_mean and image_std in preprocessor_config.json; get that file as well"
        ) from None
    return Preprocess(side, (mean[0], mean[1], mean[2]), (std[0], std[1], std[2]), "pad")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]

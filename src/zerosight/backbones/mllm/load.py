"""From a configuration to a multimodal model: the hub, a folder, or a random miniature."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import torch
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
from zerosight.backbones.mllm.families import Family, family_of
from zerosight.backbones.mllm.hub import find_folder, hash_files, licence_of, read_json
from zerosight.backbones.mllm.model import Mllm, Provenance
from zerosight.backbones.mllm.stored import check_values, check_weight, weight_files
from zerosight.backbones.mllm.tiny import TinyFamily, random_mllm
from zerosight.errors import (
    ConfigError,
    MissingExtraError,
    WeightsError,
    ZerosightError,
    did_you_mean,
    one_line,
)
from zerosight.preprocess import Preprocess
from zerosight.weights import check_finite

RANDOM = "random:"
LARGEST_INPUT = 8192
"""Largest height and width of a vision tower's input, in pixels."""


def load_mllm(config: MllmConfig) -> Mllm:
    """Return a model, frozen, as the configuration says it is to be read.

    No code that comes with a model is run and no pickle is opened.

    Raises:
        ConfigError: The model's name or the layer to read is not possible.
        WeightsError: Its files are not to be had, damaged, or not of a known vision-language family.
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
    files = weight_files(folder)
    about = _config(folder, config.model)
    _believing(config.model, check_weight, about, files, config.model)
    preprocess = _preprocess(folder, about)
    tokenizer = _tokenizer(folder, about)
    model = _model(folder, about, config)
    provenance = Provenance(config.model, hash_files(folder), licence_of(folder, config.model))
    return Mllm(model, tokenizer, preprocess, config, provenance)


def _random(config: MllmConfig) -> Mllm:
    family = config.model.removeprefix(RANDOM)
    known: tuple[TinyFamily, ...] = get_args(TinyFamily)
    for name in known:
        if name == family:
            return random_mllm(name, config.seed, config)
    raise ConfigError(
        f"model: '{config.model}' is no random model{did_you_mean(family, known)}; "
        f"give {RANDOM} and one of {', '.join(known)}"
    )


def _config(folder: Path, source: str) -> PreTrainedConfig:
    """Return the model's own configuration after checking that it is of a known family."""
    values = read_json(folder / "config.json")
    check_values(values, source)
    kind = values.get("model_type")
    if kind is None:
        raise WeightsError(
            f"{source}: has no config.json that names a model_type, so it is no model's folder"
        )
    family_of(str(kind), source)
    config: PreTrainedConfig = _believing(source, AutoConfig.from_pretrained, folder, trust_remote_code=False)
    return config


def _believing(source: str, make: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Return what transformers makes of a configuration; it may fail in any way on a stranger's."""
    try:
        return make(*args, **options)
    except ZerosightError:
        raise
    except Exception as error:
        raise WeightsError(f"{source}: its config.json cannot be used ({_line(error)})") from None


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
    except Exception as error:  # transformers, accelerate and safetensors fail in too many ways to list
        raise WeightsError(
            f"{config.model}: cannot be loaded ({_line(error)}); it needs complete safetensors, "
            "as pickled weights are never opened"
        ) from None
    model: PreTrainedModel = loaded[0]
    missing = loaded[1]["missing_keys"]
    if missing:
        raise WeightsError(f"{config.model}: its weights lack '{min(missing)}'; download them again")
    stored = {name: part for name, part in model.named_parameters() if part.device.type != "meta"}
    check_finite(stored, config.model)
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
        llm_int8_skip_modules=_unquantised(family_of(about.model_type, config.model)),
    )


def _unquantised(family: Family) -> list[str]:
    """Return the names of the parts that keep their precision."""
    return [f"model.{family.tower}", f"model.{family.projector}", "lm_head"]


def _tokenizer(folder: Path, about: PreTrainedConfig) -> PreTrainedTokenizerBase:
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        known = about.image_token_id in tokenizer.get_vocab().values()
    except Exception as error:  # as above
        raise WeightsError(f"{folder}: has no tokenizer that can be used ({_line(error)})") from None
    if not known:
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
    try:
        size = about.vision_config.image_size
        mean, std = (tuple(float(facts[key][c]) for c in range(3)) for key in ("image_mean", "image_std"))
        side = int(size if isinstance(size, int) else size[0])
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise WeightsError(
            f"{folder}: lacks image_mean and image_std in preprocessor_config.json; get that file as well"
        ) from None
    if not (1 <= side <= LARGEST_INPUT and min(std) > 0):
        raise WeightsError(
            f"{folder}: its input of {side} pixels, or its image_std, is none that a model can have"
        )
    return Preprocess(side, (mean[0], mean[1], mean[2]), (std[0], std[1], std[2]), "pad")


def _line(error: Exception) -> str:
    return one_line(f"{type(error).__name__}: {error}", 160)

"""The published checkpoints: ``torch.save({"prompt_learner": …, "Zero_try": …})``.

Names of the published code on the right, ours on the left. FGP's projections are stored as Conv1d weights of
kernel 1. The buffers carry the prompts' tokens; in the published weights both prompts say "damaged".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from zerosight.backbones.dual_encoder import DualEncoder
from zerosight.errors import WeightsError
from zerosight.models.vip2clip.config import Vip2ClipConfig
from zerosight.models.vip2clip.model import Vip2Clip
from zerosight.weights import load_pickled_tensors

ICA_NAMES = {
    "context_normal": "ctx_pos",
    "context_abnormal": "ctx_neg",
    "conditioned": "cls_ctx",
    "bias": "cls_prompter.bias",
}
FGP_NAMES = {"query": "q_proj_pre", "key": "k_proj_pre_1", "value": "v_proj_pre_1", "output": "proj_post_t"}
WORDS = ("good", "damaged")

State = Mapping[str, Tensor]


def import_published(path: Path, encoder: DualEncoder) -> tuple[Vip2Clip, tuple[str, ...]]:
    """Return the model of a published checkpoint, and notes that say what was found in it.

    Args:
        path: The ``.pth`` file. It is read with ``weights_only=True``: no code in it is run.
        encoder: The backbone it was trained on.

    Raises:
        WeightsError: The file is cut short, holds anything but tensors, or is of another model.
    """
    checkpoint = load_pickled_tensors(path)
    missing = {"prompt_learner", "Zero_try"} - set(checkpoint)
    if missing:
        raise WeightsError(
            f"{path}: is not a ViP²-CLIP checkpoint: lacks {', '.join(sorted(missing))}, "
            f"holds {', '.join(sorted(map(str, checkpoint))[:6]) or 'nothing'}"
        )
    try:
        return from_published(checkpoint["prompt_learner"], checkpoint["Zero_try"], encoder)
    except KeyError as error:
        raise WeightsError(f"{path}: is not a ViP²-CLIP checkpoint: lacks the tensor {error}") from None
    except (RuntimeError, TypeError, AttributeError, IndexError) as error:
        raise WeightsError(
            f"{path}: does not fit this backbone (joint width {encoder.dim}, text width "
            f"{encoder.text_width}): {' '.join(str(error).split())[:200]}"
        ) from None


def from_published(
    prompt_learner: State, zero_try: State, encoder: DualEncoder
) -> tuple[Vip2Clip, tuple[str, ...]]:
    """Return the model of the published state dicts, and notes on what was found.

    Raises:
        KeyError: A tensor is missing.
        RuntimeError: A shape does not fit the encoder.
    """
    words = {
        state: _word(prompt_learner[f"token_middle_{published}"], encoder)
        for state, published in (("normal", "pos"), ("abnormal", "neg"))
    }
    config = Vip2ClipConfig(
        n_context=len(prompt_learner["ctx_pos"]),
        n_conditioned=len(prompt_learner["cls_ctx"]),
        hidden=len(prompt_learner["cls_prompter.fc.0.0.bias"]),
        normal_word=words["normal"] or WORDS[1],
        abnormal_word=words["abnormal"] or WORDS[1],
    )
    model = Vip2Clip(encoder, config)
    model.ica.load_state_dict(_ica_state(prompt_learner, config.n_conditioned))
    fgp = {}
    for ours, theirs in FGP_NAMES.items():
        fgp[f"{ours}.weight"] = zero_try[f"{theirs}.weight"].flatten(1).float()
        fgp[f"{ours}.bias"] = zero_try[f"{theirs}.bias"].float()
    model.fgp.load_state_dict(fgp)
    return model, _notes(config, words)


def to_published(model: Vip2Clip) -> dict[str, dict[str, Tensor]]:
    """Return the state dicts that the published code would hold for this model (its tensors, not its ids)."""
    ica, config = model.ica.state_dict(), model.config
    used = model.ica.end_position + 1
    padding = ica["padding"].expand(model.encoder.context_length - used, -1)
    prompt_learner = {theirs: ica[ours] for ours, theirs in ICA_NAMES.items()}
    for state, published in (("normal", "pos"), ("abnormal", "neg")):
        prompt_learner[f"token_prefix_{published}"] = ica["start"][None]
        prompt_learner[f"token_middle_{published}"] = ica[f"word_{state}"][None]
        prompt_learner[f"token_suffix_{published}"] = torch.cat([ica["end"], padding])[None]
    for i in range(config.n_conditioned):
        for part in ("0.weight", "0.bias", "2.weight", "2.bias"):
            prompt_learner[f"cls_prompter.fc.{i}.{part}"] = ica[f"meta_nets.{i}.{part}"]
    fgp, zero_try = model.fgp.state_dict(), {}
    for ours, theirs in FGP_NAMES.items():
        zero_try[f"{theirs}.weight"] = fgp[f"{ours}.weight"][..., None]
        zero_try[f"{theirs}.bias"] = fgp[f"{ours}.bias"]
    return {"prompt_learner": prompt_learner, "Zero_try": zero_try}


def _ica_state(published: State, n_conditioned: int) -> dict[str, Tensor]:
    state = {ours: published[theirs] for ours, theirs in ICA_NAMES.items()}
    for i in range(n_conditioned):
        for part in ("0.weight", "0.bias", "2.weight", "2.bias"):
            state[f"meta_nets.{i}.{part}"] = published[f"cls_prompter.fc.{i}.{part}"]
    suffix = published["token_suffix_neg"][0]
    state |= {
        "start": published["token_prefix_neg"][0],
        "end": suffix[:1],
        "padding": suffix[-1:],
        "word_normal": published["token_middle_pos"][0],
        "word_abnormal": published["token_middle_neg"][0],
    }
    return {name: tensor.float() for name, tensor in state.items()}


def _word(embedding: Tensor, encoder: DualEncoder) -> str | None:
    """Return which state word an embedding is in this encoder's table, None if neither."""
    for word in WORDS:
        known = encoder.embed_words(word)
        if known.shape == embedding[0].shape and torch.allclose(
            known, embedding[0].float().to(known), atol=1e-3
        ):
            return word
    return None


def _notes(config: Vip2ClipConfig, words: Mapping[str, str | None]) -> tuple[str, ...]:
    notes = [f"e = {config.n_context}, r = {config.n_conditioned}, Meta-Net width {config.hidden}"]
    if words["normal"] == words["abnormal"] == "damaged":
        notes.append(
            "both prompts carry the token of 'damaged' (the published weights' quirk), kept as it is"
        )
    notes += [
        f"the {state} prompt's state word is neither of this backbone's {WORDS}: is it the backbone that "
        "the checkpoint was trained on?"
        for state, word in words.items()
        if word is None
    ]
    return tuple(notes)

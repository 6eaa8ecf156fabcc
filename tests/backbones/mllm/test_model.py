from __future__ import annotations

import copy
from collections import Counter
from typing import get_args

import pytest
import torch
from accelerate.hooks import ModelHook, add_hook_to_module
from torch import Tensor, nn

from zerosight.backbones.mllm.config import MllmConfig
from zerosight.backbones.mllm.model import Mllm, Provenance
from zerosight.backbones.mllm.tiny import TinyFamily, random_mllm
from zerosight.backbones.normalise import normalise
from zerosight.errors import ConfigError, WeightsError

TEXTS = ("The lungs are clear.", "A large right pleural effusion with adjacent atelectasis.", "x")


def full_run(mllm: Mllm, pixels: Tensor) -> tuple[Tensor, ...]:
    """Return all hidden states of the whole model, given what its own processor would give it."""
    image = normalise(pixels, mllm.preprocess)
    bos = mllm.tokenizer.bos_token_id
    ids = [] if bos is None else [bos]
    ids += [mllm.model.config.image_token_id] * mllm.grid**2
    with torch.no_grad():
        outputs = mllm.model(
            input_ids=torch.tensor([ids] * len(pixels)),
            pixel_values=image[:, None] if mllm.family.frames else image,
            output_hidden_states=True,
        )
    return outputs.hidden_states


def ran(mllm: Mllm) -> Counter[str]:
    """Count, from now on, the calls of the decoder's layers and of the language head."""
    counts: Counter[str] = Counter()
    for layer in mllm.decoder.layers:
        layer.register_forward_hook(lambda *_: counts.update(["layer"]))
    mllm.model.get_output_embeddings().register_forward_hook(lambda *_: counts.update(["head"]))
    return counts


def test_image_states_are_the_penultimate_ones_of_the_full_model(mllm: Mllm, pixels: Tensor) -> None:
    states = mllm.encode_images(mllm.see(pixels))
    hidden = full_run(mllm, pixels)
    start = mllm.tokenizer.bos_token_id is not None
    assert len(hidden) == 5
    torch.testing.assert_close(states.tokens, hidden[-2][:, start:], atol=1e-5, rtol=1e-5)
    assert states.mask.all()


def test_special_states_are_the_penultimate_ones_of_the_full_decoder(mllm: Mllm, pixels: Tensor) -> None:
    seen = mllm.see(pixels)
    states = mllm.encode_images(seen)
    start = mllm.begin().expand(len(pixels), -1, -1)
    end = mllm.image_cls.expand(len(pixels), -1, -1)
    whole = torch.cat([start, mllm.project(seen), end], dim=1)
    hidden = mllm.decoder(inputs_embeds=whole, output_hidden_states=True).hidden_states
    torch.testing.assert_close(states.cls, hidden[-2][:, -4:], atol=1e-5, rtol=1e-5)


def test_text_states_are_the_penultimate_ones_of_the_full_model(mllm: Mllm) -> None:
    states = mllm.encode_texts(TEXTS)
    bos = mllm.tokenizer.bos_token_id
    for index, text in enumerate(TEXTS):
        ids = mllm.tokenizer(text, add_special_tokens=False)["input_ids"]
        whole = torch.tensor([ids if bos is None else [bos, *ids]])
        hidden = mllm.model(input_ids=whole, output_hidden_states=True).hidden_states[-2]
        tokens = states.tokens[index][states.mask[index]]
        torch.testing.assert_close(tokens, hidden[0, bos is not None :], atol=1e-5, rtol=1e-5)


def test_neither_the_last_layer_nor_the_head_runs(pixels: Tensor) -> None:
    mllm = random_mllm("llava")
    seen, counts = mllm.see(pixels), ran(mllm)
    mllm.encode_images(seen)
    assert counts == {"layer": 3}
    mllm.encode_texts(TEXTS)
    assert counts == {"layer": 6}
    full_run(mllm, pixels)
    assert counts == {"layer": 10, "head": 1}


def test_a_lower_layer_is_read_by_running_fewer(pixels: Tensor) -> None:
    mllm = random_mllm("llava", config=MllmConfig(model="random:llava", read_layer=-3))
    seen, counts = mllm.see(pixels), ran(mllm)
    states = mllm.encode_images(seen)
    assert counts == {"layer": 2}
    torch.testing.assert_close(states.tokens, full_run(mllm, pixels)[-3][:, 1:], atol=1e-5, rtol=1e-5)


def test_the_early_exit_survives_a_device_map(pixels: Tensor) -> None:
    mllm = random_mllm("llava")
    seen = mllm.see(pixels)
    expected, counts = mllm.encode_images(seen), ran(mllm)
    add_hook_to_module(mllm.decoder, ModelHook())
    assert torch.equal(mllm.encode_images(seen).cls, expected.cls)
    assert counts == {"layer": 3}


def test_batch_mates_and_padding_change_nothing(mllm: Mllm, pixels: Tensor) -> None:
    together, images = mllm.encode_texts(TEXTS), mllm.encode_images(mllm.see(pixels))
    for index, text in enumerate(TEXTS):
        alone = mllm.encode_texts([text])
        count = int(alone.mask.sum())
        assert int(together.mask[index].sum()) == count
        torch.testing.assert_close(together.cls[index], alone.cls[0], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(together.tokens[index, :count], alone.tokens[0], atol=1e-5, rtol=1e-5)
        assert not together.tokens[index, count:].any()
        image = mllm.encode_images(mllm.see(pixels[index : index + 1]))
        torch.testing.assert_close(images.cls[index], image.cls[0], atol=1e-5, rtol=1e-5)


def test_a_longer_batch_mate_does_not_move_a_text_by_a_bit() -> None:
    mllm = random_mllm("llava")
    states = [mllm.encode_texts([TEXTS[0], mate]) for mate in (TEXTS[1], TEXTS[1][::-1])]
    shorter = states[0].mask[0].sum()
    assert torch.equal(states[0].cls[0], states[1].cls[0])
    assert torch.equal(states[0].tokens[0, :shorter], states[1].tokens[0, :shorter])


def test_the_tokenizers_padding_side_does_not_matter() -> None:
    mllm = random_mllm("llava")
    expected = mllm.encode_texts(TEXTS).cls
    mllm.tokenizer.padding_side = "left"
    assert torch.equal(mllm.encode_texts(TEXTS).cls, expected)


def test_modalities_do_not_see_each_other(mllm: Mllm, pixels: Tensor) -> None:
    seen = mllm.see(pixels)
    image, text = mllm.encode_images(seen), mllm.encode_texts(TEXTS)
    mllm.encode_texts(["pneumothorax", "edema"])
    assert torch.equal(mllm.encode_images(seen).cls, image.cls)
    mllm.encode_images(seen.flip(0) + 1)
    assert torch.equal(mllm.encode_texts(TEXTS).cls, text.cls)


def test_no_token_sees_a_later_one(mllm: Mllm, pixels: Tensor) -> None:
    rows = [torch.randn(9, mllm.width, generator=torch.Generator().manual_seed(1))]
    before = mllm.read(rows)
    after = mllm.read([torch.cat([rows[0][:5], rows[0][5:] + 1])])
    torch.testing.assert_close(before[:, :5], after[:, :5], atol=1e-6, rtol=1e-6)
    assert (before[:, 5:] - after[:, 5:]).abs().amax(-1).min() > 1e-3


def test_special_tokens_see_all_of_their_modality(mllm: Mllm, pixels: Tensor) -> None:
    seen = mllm.see(pixels[:1]).requires_grad_()
    mllm.encode_images(seen).cls[0, 0].sum().backward()
    assert seen.grad is not None
    assert (seen.grad[0].abs().sum(-1) > 0).all()


def test_names_of_special_tokens_in_a_report_are_plain_words() -> None:
    mllm = random_mllm("llava")
    states = mllm.encode_texts(["<image> </s>"])
    assert states.mask.sum() == len(mllm.token_ids("<image> </s>")) > 2
    assert not {0, 1, 2, 3} & set(mllm.token_ids("<image> </s> <s> <pad>"))


def test_long_texts_are_cut() -> None:
    config = MllmConfig(model="random:llava", max_text_tokens=5)
    mllm = random_mllm("llava", config=config)
    states = mllm.encode_texts(["x y " * 200, "x"])
    assert states.tokens.shape[1] == 5
    assert states.mask.sum(1).tolist() == [5, 1]


def test_half_precision_gives_the_same_states_roughly(pixels: Tensor) -> None:
    mllm = random_mllm("llava")
    expected = mllm.encode_images(mllm.see(pixels)).cls
    mllm.model.bfloat16()
    states = mllm.encode_images(mllm.see(pixels))
    assert states.cls.dtype == torch.bfloat16
    assert torch.cosine_similarity(states.cls.float(), expected, dim=-1).min() > 0.99


def test_yes_and_no_are_logits_of_the_full_model(mllm: Mllm, pixels: Tensor) -> None:
    questions = ["Is there edema?", "Is there a large pleural effusion?", "Normal?"]
    logits = mllm.yes_no_logits(mllm.see(pixels), questions)
    image, token = normalise(pixels, mllm.preprocess), mllm.model.config.image_token_id
    bos, count = mllm.tokenizer.bos_token_id, mllm.grid**2
    spellings = (("Yes", " Yes", "yes", " yes"), ("No", " No", "no", " no"))
    first = [{mllm.tokenizer(word)["input_ids"][0] for word in words} for words in spellings]
    for index, question in enumerate(questions):
        text = f"USER: {mllm.family.framing.format('<image>')}\n{question} ASSISTANT:"
        ids = mllm.tokenizer(text, add_special_tokens=False)["input_ids"]
        where = ids.index(token)
        whole = [*([] if bos is None else [bos]), *ids[:where], *[token] * count, *ids[where + 1 :]]
        values = image[index : index + 1]
        with torch.no_grad():
            full = mllm.model(
                input_ids=torch.tensor([whole]),
                pixel_values=values[:, None] if mllm.family.frames else values,
            )
        expected = torch.stack([full.logits[0, -1, sorted(ids)].logsumexp(0) for ids in first])
        torch.testing.assert_close(logits[index], expected, atol=1e-4, rtol=1e-4)


def test_special_tokens_in_a_question_are_left_out(pixels: Tensor) -> None:
    mllm = random_mllm("llava")
    seen = mllm.see(pixels[:2])
    plain = mllm.yes_no_logits(seen, ["Is there edema?"] * 2)
    assert torch.equal(mllm.yes_no_logits(seen, ["<image>Is there edema?</s>"] * 2), plain)


def test_generation_repeats_with_its_seed(mllm: Mllm) -> None:
    state = torch.random.get_rng_state()
    answers = [mllm.generate("Describe pulmonary edema.", seed, 12) for seed in (1, 1, 2)]
    assert answers[0] == answers[1] != answers[2]
    assert torch.equal(torch.random.get_rng_state(), state)


def test_attention_is_that_of_the_model_itself(mllm: Mllm, pixels: Tensor) -> None:
    seen = mllm.see(pixels)
    maps = mllm.attention(seen)
    assert maps.shape == (3, 4, 4)
    torch.testing.assert_close(maps.sum((1, 2)), torch.ones(3))
    eager = copy.deepcopy(mllm)
    eager.decoder.set_attn_implementation("eager")
    rows = eager._image_rows(eager.project(seen))
    weights = eager.decoder(inputs_embeds=rows, output_attentions=True).attentions[2]
    start = mllm.tokenizer.bos_token_id is not None
    shares = weights[:, :, -4:, start : start + 16].mean((1, 2))
    expected = (shares / shares.sum(-1, keepdim=True)).view(3, 4, 4)
    torch.testing.assert_close(maps, expected, atol=1e-5, rtol=1e-4)


def test_maps_leave_the_model_as_it_was(pixels: Tensor) -> None:
    mllm = random_mllm("llava")
    seen = mllm.see(pixels)
    expected = mllm.encode_images(seen).cls
    mllm.attention(seen)
    assert torch.equal(mllm.encode_images(seen).cls, expected)
    assert mllm.decoder.config._attn_implementation == "sdpa"
    assert len(full_run(mllm, pixels)) == 5


def test_everything_is_frozen_and_the_tower_stays_in_evaluation_mode(mllm: Mllm) -> None:
    assert not any(parameter.requires_grad for parameter in mllm.parameters())
    mllm.train()
    try:
        assert mllm.decoder.training
        assert not any(part.training for part in mllm.tower.modules())
    finally:
        mllm.eval()


def test_fingerprint_follows_weights_and_reading() -> None:
    prints = {
        random_mllm("llava").fingerprint,
        random_mllm("llava", 1).fingerprint,
        random_mllm("llava-qwen").fingerprint,
        random_mllm("llava", config=MllmConfig(model="random:llava", cls_tokens=5)).fingerprint,
        random_mllm("llava", config=MllmConfig(model="random:llava", read_layer=-3)).fingerprint,
    }
    assert len(prints) == 5
    assert random_mllm("llava").fingerprint in prints


def test_without_special_tokens_the_last_token_is_read(pixels: Tensor) -> None:
    mllm = random_mllm("llava", config=MllmConfig(model="random:llava", cls_tokens=0, read_layer=-1))
    assert mllm.layers == 4
    seen = mllm.see(pixels)
    image = mllm.encode_images(seen)
    torch.testing.assert_close(image.cls, image.tokens[:, -1:])
    torch.testing.assert_close(mllm.attention(seen).sum((1, 2)), torch.ones(3))
    text = mllm.encode_texts(["Clear lungs.", "There is a large left pleural effusion."])
    last = text.mask.sum(1) - 1
    torch.testing.assert_close(text.cls[:, 0], text.tokens[torch.arange(2), last])


def test_the_tower_knows_nothing_of_how_the_decoder_is_read() -> None:
    plain = random_mllm("llava").tower_fingerprint
    read = MllmConfig(model="random:llava", cls_tokens=5, read_layer=-3)
    assert random_mllm("llava", config=read).tower_fingerprint == plain
    assert random_mllm("llava", 1).tower_fingerprint != plain


def test_class_token_of_the_tower_is_kept_out_of_the_grid(pixels: Tensor) -> None:
    plain = random_mllm("llava")
    plain.model.config.vision_feature_select_strategy = "full"
    mllm = Mllm(plain.model, plain.tokenizer, plain.preprocess, plain.config, plain.provenance)
    seen = mllm.see(pixels)
    assert seen.shape[1] == 17
    assert mllm.grid == 4
    assert mllm.encode_images(seen).tokens.shape[1] == 16
    torch.testing.assert_close(mllm.attention(seen).sum((1, 2)), torch.ones(3))


def test_a_layer_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ConfigError, match="has 4 layers, so give -1 to -4, not -5"):
        random_mllm("llava", config=MllmConfig(model="random:llava", read_layer=-5))


def test_image_tokens_that_form_no_square_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = random_mllm("llava")
    monkeypatch.setattr(Mllm, "project", lambda self, seen: torch.zeros(1, 12, 48))
    with pytest.raises(WeightsError, match="makes 12 tokens of an image, which is no square"):
        Mllm(plain.model, plain.tokenizer, plain.preprocess, plain.config, Provenance("that", "", ""))


def test_special_tokens_start_like_words() -> None:
    mllm = random_mllm("llava")
    table = mllm.model.get_input_embeddings().weight
    assert isinstance(mllm.image_cls, nn.Parameter)
    assert not torch.equal(mllm.image_cls, mllm.text_cls)
    assert 0.7 < float(mllm.image_cls.std() / table.std()) < 1.3


def whole(family: TinyFamily, attention: str = "full", **settings: object) -> Mllm:
    """Return a miniature whose image tokens see each other in both directions, or not."""
    config = MllmConfig(model=f"random:{family}", max_text_tokens=64, image_attention=attention, **settings)
    return random_mllm(family, config=config)


@pytest.mark.parametrize("family", get_args(TinyFamily))
@pytest.mark.parametrize("kind", ["sdpa", "eager"])
def test_image_tokens_that_see_all_of_the_image_are_those_of_a_mask(
    family: TinyFamily, kind: str, pixels: Tensor
) -> None:
    mllm = whole(family)
    mllm.decoder.set_attn_implementation(kind)
    seen = mllm.see(pixels)
    states = mllm.encode_images(seen)
    rows = torch.stack([torch.cat([mllm.begin(), one, mllm.image_cls]) for one in mllm.project(seen)])
    start, length = len(mllm.begin()), rows.shape[1]
    place = torch.arange(length)
    in_image = (place >= start) & (place < start + mllm.grid**2 + mllm._extra)
    visible = (place[None] <= place[:, None]) | (in_image[None] & in_image[:, None])
    mask = torch.zeros(len(rows), 1, length, length).masked_fill(~visible, torch.finfo(torch.float32).min)
    with torch.no_grad():
        hidden = mllm.decoder(
            inputs_embeds=rows, attention_mask=mask, output_hidden_states=True
        ).hidden_states
    torch.testing.assert_close(states.cls, hidden[-2][:, -4:], atol=1e-5, rtol=1e-5)
    first = mllm.first_token
    torch.testing.assert_close(
        states.tokens, hidden[-2][:, first : first + mllm.grid**2], atol=1e-5, rtol=1e-5
    )
    cls, weights = mllm.attend_projected(mllm.project(seen))
    torch.testing.assert_close(cls, states.cls, atol=1e-5, rtol=1e-5)
    assert (weights[0][..., start, start + 1] > 0).all()
    assert (weights[0][..., start, ~in_image & (place > start)] == 0).all()


@pytest.mark.parametrize("family", get_args(TinyFamily))
def test_the_first_image_token_sees_the_last_one_where_it_may(family: TinyFamily, pixels: Tensor) -> None:
    for attention, same in (("causal", True), ("full", False)):
        mllm = whole(family, attention)
        tokens = mllm.project(mllm.see(pixels))
        other = torch.cat([tokens[:, :-1], tokens[:, :1]], dim=1)
        before, after = (mllm.encode_projected(one).tokens[:, 0] for one in (tokens, other))
        assert torch.equal(before, after) is same


def test_texts_and_what_comes_before_the_image_do_not_change(pixels: Tensor) -> None:
    causal, full = whole("llava", "causal"), whole("llava")
    assert torch.equal(causal.encode_texts(TEXTS).cls, full.encode_texts(TEXTS).cls)
    rows = full._image_rows(full.project(full.see(pixels)))
    spans = full.image_spans(rows)
    assert (spans[0].start, causal.image_spans(rows)) == (1, [])
    assert torch.equal(full.read(list(rows), spans)[:, 0], causal.read(list(rows))[:, 0])


@pytest.mark.parametrize("family", get_args(TinyFamily))
def test_questions_in_words_see_the_image_in_the_same_way(family: TinyFamily, pixels: Tensor) -> None:
    asked = ["Is there edema? Answer yes or no."] * len(pixels)
    causal, full = whole(family, "causal"), whole(family)
    seen = full.see(pixels)
    answers = full.yes_no_logits(seen, asked)
    assert not torch.allclose(answers, causal.yes_no_logits(seen, asked))
    alone = torch.cat([full.yes_no_logits(one[None], asked[:1]) for one in seen])
    torch.testing.assert_close(answers, alone, atol=1e-4, rtol=1e-4)


def test_a_decoder_that_takes_no_mask_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    mllm = random_mllm()
    told = mllm.decoder.forward
    monkeypatch.setattr(
        type(mllm.decoder), "forward", lambda self, attention_mask=None, **inputs: told(**inputs)
    )
    with pytest.raises(ConfigError, match="image_attention: the decoder of random:llava takes no mask"):
        mllm.let_images_see_all()


def test_causal_images_leave_the_fingerprint_as_it_was() -> None:
    assert whole("llava", "causal").fingerprint != whole("llava").fingerprint
    assert whole("llava", "causal").tower_fingerprint == whole("llava").tower_fingerprint
    told = random_mllm()
    causal = told.fingerprint
    told.let_images_see_all()
    assert (told.config.image_attention, told.fingerprint != causal) == ("full", True)

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from zerosight.backbones.mllm.families import FAMILIES
from zerosight.backbones.mllm.prompts import answer_ids, instruction_ids, question_ids
from zerosight.backbones.mllm.tokenizer import build_tokenizer
from zerosight.errors import WeightsError

PARTS = (
    "{{ bos_token }}{% for m in messages %}U:{% for p in m['content'] %}"
    "{% if p['type'] == 'image' %}<image>{% else %} {{ p['text'] }}{% endif %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %} A:{% endif %}"
)
PLAIN_TEXT = "{% for m in messages %}Q {{ m['content'] | trim }} A{% endfor %}"
REFUSES = "{{ raise_exception('system role needed') }}"
LLAVA = FAMILIES["llava"]


def asked(template: str | None, question: str = "Is there edema?", family: str = "llava") -> str:
    tokenizer = build_tokenizer(chat_template=template)
    before, after = question_ids(tokenizer, FAMILIES[family], 3, question)
    return tokenizer.decode(before) + "|" + tokenizer.decode(after)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (None, "<s>USER: |\nIs there edema? ASSISTANT:"),
        (PARTS, "<s>U:| Is there edema? A:"),
        (PLAIN_TEXT, "<s>Q |\nIs there edema? A"),
        (REFUSES, "<s>USER: |\nIs there edema? ASSISTANT:"),
        ("no image here", "<s>USER: |\nIs there edema? ASSISTANT:"),
    ],
)
def test_a_question_goes_through_the_models_own_template(template: str | None, expected: str) -> None:
    assert asked(template) == expected


def test_a_family_that_frames_its_images() -> None:
    framed = (
        "<s>USER: <fake_token_around_image><global-img>|<fake_token_around_image>\nIs there edema? ASSISTANT:"
    )
    assert asked(None, family="smolvlm") == framed


def test_a_question_cannot_smuggle_in_tokens() -> None:
    assert asked(PARTS, "Is <image> there</s>edema?").count("<image>") == 0
    assert "</s>" not in asked(PARTS, "Is there</s>edema?")


@pytest.mark.parametrize(
    ("template", "expected"),
    [(None, "<s>USER: Say A. ASSISTANT:"), (PARTS, "<s>U: Say A. A:"), (PLAIN_TEXT, "<s>Q Say A. A")],
)
def test_an_instruction_without_image(template: str | None, expected: str) -> None:
    tokenizer = build_tokenizer(chat_template=template)
    assert tokenizer.decode(instruction_ids(tokenizer, " Say A.\n")) == expected


def test_answers_are_told_apart_by_their_first_token() -> None:
    tokenizer = build_tokenizer()
    yes, no = answer_ids(tokenizer)
    assert not set(yes) & set(no)
    assert {tokenizer.decode([token]).strip()[0].lower() for token in yes} == {"y"}
    assert {tokenizer.decode([token]).strip()[0].lower() for token in no} == {"n"}


def test_a_tokenizer_that_cannot_tell_yes_from_no_is_an_error() -> None:
    words = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(WeightsError, match="begins 'yes' and 'no' with the same token"):
        answer_ids(PreTrainedTokenizerFast(tokenizer_object=words))


def test_a_tokenizer_without_image_token_is_an_error() -> None:
    with pytest.raises(WeightsError, match="has no image token 9999"):
        question_ids(build_tokenizer(), LLAVA, 9999, "Is there edema?")

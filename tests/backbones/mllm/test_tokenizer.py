from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from zerosight.backbones.mllm.tokenizer import BOS, EOS, IMAGE, PAD, build_tokenizer

TOKENIZER = build_tokenizer()


def ids(text: str) -> list[int]:
    found: list[int] = TOKENIZER(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    return found


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_no_text_is_lost(text: str) -> None:
    assert TOKENIZER.decode(ids(text)) == text


def test_the_same_tokens_every_time() -> None:
    assert build_tokenizer().get_vocab() == TOKENIZER.get_vocab()
    assert [TOKENIZER.convert_tokens_to_ids(token) for token in (BOS, EOS, PAD, IMAGE)] == [0, 1, 2, 3]


def test_frequent_words_are_few_tokens() -> None:
    assert len(ids("pneumothorax")) < len("pneumothorax") / 2
    assert len(TOKENIZER) <= 512


def test_only_as_many_tokens_as_wanted() -> None:
    assert len(build_tokenizer(["a a a b b"], size=260)) == 260

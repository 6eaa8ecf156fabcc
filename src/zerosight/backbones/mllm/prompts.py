"""Questions and instructions as a model's own chat template writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from zerosight.backbones.mllm.families import Family
from zerosight.errors import WeightsError

PLAIN = "USER: {} ASSISTANT:"
YES = ("Yes", " Yes", "yes", " yes")
NO = ("No", " No", "no", " no")


def question_ids(
    tokenizer: PreTrainedTokenizerBase, family: Family, image_id: int, question: str
) -> tuple[list[int], list[int]]:
    """Return the token ids before and after the image of a prompt that asks about it.

    Args:
        tokenizer: Its chat template is used if it has one that takes images, else LLaVA-1.5's.
        family: How the model marks an image.
        image_id: Id of the token that stands for an image's tokens.
        question: Plain text; names of special tokens in it are left out.

    Raises:
        WeightsError: The tokenizer does not know the image token.
    """
    words = plain_words(tokenizer, question)
    forms = (
        [{"type": "image"}, {"type": "text", "text": words}],
        f"{family.placeholder}\n{words}",
    )
    text = _rendered(tokenizer, forms, (family.placeholder, words), f"{family.placeholder}\n{words}")
    image = family.framing.format(tokenizer.convert_ids_to_tokens(image_id))
    ids = _ids(tokenizer, text.replace(family.placeholder, image, 1))
    if image_id not in ids:
        raise WeightsError(f"the tokenizer has no image token {image_id}; use the one saved with the model")
    where = ids.index(image_id)
    return ids[:where], ids[where + 1 :]


def instruction_ids(tokenizer: PreTrainedTokenizerBase, prompt: str) -> list[int]:
    """Return the token ids of a prompt without an image."""
    words = plain_words(tokenizer, prompt)
    return _ids(tokenizer, _rendered(tokenizer, ([{"type": "text", "text": words}], words), (words,), words))


def answer_ids(tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    """Return the ids with which the spellings of yes, and those of no, begin.

    Raises:
        WeightsError: Both answers begin with the same token.
    """
    yes, no = (
        {tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in words} for words in (YES, NO)
    )
    if not (yes - no and no - yes):
        raise WeightsError("the tokenizer begins 'yes' and 'no' with the same token, so it cannot be asked")
    return sorted(yes - no), sorted(no - yes)


def plain_words(tokenizer: PreTrainedTokenizerBase, text: str) -> str:
    """Return a text without the names of special tokens."""
    for token in tokenizer.get_added_vocab():
        text = text.replace(token, " ")
    return text.strip()


def _rendered(
    tokenizer: PreTrainedTokenizerBase, forms: Sequence[Any], needed: Sequence[str], plain: str
) -> str:
    """Return the chat template's text for the first form of content that it understands.

    It understands a form if the parts appear in the text and the form itself does not.
    """
    if tokenizer.chat_template:
        for content in forms:
            try:
                text = tokenizer.apply_chat_template(
                    [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
                )
            except (TemplateError, TypeError):
                continue
            printed = not isinstance(content, str) and str(content) in str(text)
            if isinstance(text, str) and not printed and all(part in text for part in needed):
                return text
    return PLAIN.format(plain)


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Return the ids of a prompt that begins with [BOS] exactly once, where there is one."""
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    bos = tokenizer.bos_token_id
    return ids if bos is None or ids[:1] == [bos] else [bos, *ids]

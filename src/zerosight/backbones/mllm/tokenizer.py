"""A small tokenizer made in code, for models that are made in code."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

BOS, EOS, PAD, IMAGE = "<s>", "</s>", "<pad>", "<image>"
READS = (
    "The heart size is normal. The lungs are clear. No pleural effusion or pneumothorax is seen.",
    "There is a consolidation in the right lower lobe with air bronchograms, consistent with pneumonia.",
    "Moderate cardiomegaly with pulmonary edema and bilateral pleural effusions, atelectasis at both bases.",
    "Is there a nodule, a mass, an opacity, a fracture, fibrosis, emphysema or a hernia? yes no Yes No",
    "USER: ASSISTANT: Describe the appearance of the finding on a chest X-ray.",
)


def build_tokenizer(
    texts: Iterable[str] = READS, size: int = 512, chat_template: str | None = None
) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer trained on some texts; no text has an unknown token.

    Args:
        texts: Frequent pieces of these become tokens of their own.
        size: Largest number of tokens, at least 260: 256 bytes and 4 special tokens.
        chat_template: Jinja template of a conversation, if any.

    >>> tokenizer = build_tokenizer()
    >>> tokenizer.decode(tokenizer("The lungs are clear. Übrigens.", add_special_tokens=False)["input_ids"])
    'The lungs are clear. Übrigens.'
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[BOS, EOS, PAD, IMAGE],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return wrapped(tokenizer, chat_template)


def wrapped(tokenizer: Tokenizer, chat_template: str | None = None) -> PreTrainedTokenizerFast:
    """Return a tokenizer that knows the four special tokens, as transformers takes it.

    Args:
        tokenizer: From :func:`build_tokenizer`, perhaps stored and read again.
        chat_template: Jinja template of a conversation, if any.
    """
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        additional_special_tokens=[IMAGE],
        clean_up_tokenization_spaces=False,
        chat_template=chat_template,
    )

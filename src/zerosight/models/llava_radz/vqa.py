"""The traditional way of asking a language model about an image: one question per finding, yes or no.

It is the baseline that zero-shot scores are compared with, and it costs a pass of all layers per finding.
Departures: the paper's wording of the questions is not known; ours is below.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from zerosight.backbones.mllm.model import Mllm
from zerosight.data.chest.names import NO_FINDING, canonical

QUESTION = "Is there {}? Answer yes or no."
NORMAL = "Is this chest X-ray normal? Answer yes or no."


def question_about(finding: str) -> str:
    """Return the question about a finding, in any spelling; "no finding" is asked as it is, not negated.

    >>> question_about("Effusion")
    'Is there pleural effusion? Answer yes or no.'
    """
    name = canonical(finding)
    return NORMAL if name == NO_FINDING else QUESTION.format(name)


def yes_log_odds(
    mllm: Mllm, pixels: UInt8[Tensor, "batch size size 3"], findings: Sequence[str]
) -> Float[Tensor, "batch classes"]:
    """Return the log-odds of yes against no as the next word, on the CPU.

    Args:
        mllm: The language model.
        pixels: Images as it takes them.
        findings: At least one, in any spelling.
    """
    return answers_of(mllm, mllm.see(pixels), findings)


@torch.inference_mode()
def answers_of(
    mllm: Mllm, seen: Float[Tensor, "batch n vision"], findings: Sequence[str]
) -> Float[Tensor, "batch classes"]:
    """Return the same from what the vision tower saw.

    Args:
        mllm: The language model.
        seen: From ``mllm.see``.
        findings: At least one, in any spelling.
    """
    columns = []
    for finding in findings:
        yes, no = mllm.yes_no_logits(seen, [question_about(finding)] * len(seen)).unbind(-1)
        columns.append((yes - no).float().cpu())
    return torch.stack(columns, dim=1)

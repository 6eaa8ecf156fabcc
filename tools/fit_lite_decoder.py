"""Make the tokenizer and the decoder of the small language model, from text alone.

Texts: the Indiana University reports (in the package torchxrayvision), reports by template, and our own
descriptions of findings. The decoder learns to predict the next token; it never sees an image here.

    python tools/fit_lite_decoder.py        # about 4 minutes on 2 cores
"""

from __future__ import annotations

import math
import random
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from zerosight.backbones.mllm import lite
from zerosight.backbones.mllm.tokenizer import BOS, EOS, build_tokenizer
from zerosight.data.chest.indiana import indiana_reports
from zerosight.data.chest.reports import clean_report
from zerosight.data.chest.wording import report_sentences
from zerosight.files import sha256
from zerosight.models.llava_radz.descriptions import load_descriptions
from zerosight.synthesis.chests.plan import labels_of, plan_findings
from zerosight.weights import save_tensors

FOLDER = Path(__file__).resolve().parents[1] / "packages/zerosight-radz-tiny/src/zerosight_radz_tiny"
TOKENIZER, DECODER = FOLDER / lite.TOKENIZER, FOLDER / lite.DECODER
SEED = 7
TOKENS = 4096
TEMPLATES = 3000
LONGEST = 128
BATCH = 32
EPOCHS = 4
RATE = 2e-3


def main() -> None:
    """Write both files and print what was learnt."""
    texts = read_texts()
    held_out, train = texts[:200], texts[200:]
    tokenizer = build_tokenizer(train, TOKENS)
    tokenizer.backend_tokenizer.save(str(TOKENIZER))
    start, end = tokenizer.convert_tokens_to_ids([BOS, EOS])
    rows = [encode(tokenizer, text, start, end) for text in train]
    model = lite.untrained(tokenizer, SEED)
    decoder, head = model.get_decoder(), model.lm_head
    decoder.requires_grad_(True)
    optimiser = torch.optim.AdamW(decoder.parameters(), lr=RATE, weight_decay=0.1, betas=(0.9, 0.98))
    steps = EPOCHS * math.ceil(len(rows) / BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(step / 50, 0.5 * (1 + math.cos(math.pi * step / steps)))
    )
    begun, done = time.perf_counter(), 0
    for epoch in range(EPOCHS):
        for batch in batches(rows, random.Random(SEED + epoch)):
            loss = next_token_loss(decoder, head, batch)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            done += 1
        with torch.inference_mode():
            kept = [encode(tokenizer, text, start, end) for text in held_out]
            measured = float(next_token_loss(decoder, head, kept))
        print(
            f"epoch {epoch + 1}: {done}/{steps} steps, held-out loss {measured:.3f} per token, "
            f"{time.perf_counter() - begun:.0f} s",
            flush=True,
        )
    save_tensors({name: value.half() for name, value in decoder.state_dict().items()}, DECODER)
    print(f"{DECODER}: SHA-256 {sha256(DECODER)}")


def read_texts() -> list[str]:
    """Return all texts, shuffled by seed."""
    reports = [
        clean_report(f"FINDINGS: {r.findings}\nIMPRESSION: {r.impression}").text for r in indiana_reports()
    ]
    rng = np.random.default_rng(SEED)
    templates = []
    for _ in range(TEMPLATES):
        findings = plan_findings(rng)
        templates.append(report_sentences(labels_of(findings), rng, findings))
    described = [text for entry in load_descriptions().values() for text in (*entry.presence, *entry.absence)]
    texts = [text for text in (*reports, *templates, *described) if text]
    random.Random(SEED).shuffle(texts)
    return texts


def encode(tokenizer, text: str, start: int, end: int) -> torch.Tensor:
    """Return the ids of one text between its marks, cut to the longest."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"][: LONGEST - 2]
    return torch.tensor([start, *ids, end])


def batches(rows: list[torch.Tensor], rng: random.Random) -> list[list[torch.Tensor]]:
    """Return batches of rows of like length, in random order."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]) + rng.random() * 8)
    groups = [[rows[i] for i in order[at : at + BATCH]] for at in range(0, len(order), BATCH)]
    rng.shuffle(groups)
    return groups


def next_token_loss(decoder, head, rows: list[torch.Tensor]) -> torch.Tensor:
    """Return the mean cross-entropy of every next token."""
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1)
    states = decoder(input_ids=ids.clamp(min=0)[:, :-1], use_cache=False).last_hidden_state
    return F.cross_entropy(head(states).flatten(0, 1), ids[:, 1:].flatten(), ignore_index=-1)


if __name__ == "__main__":
    main()

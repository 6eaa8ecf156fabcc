"""``zerosight ablate``: tables from a command, and errors of one line."""

from __future__ import annotations

import json

STUDY = """
set: {epochs: 1, batch_size: 4}
variants:
  - {name: ViP², group: whole}
  - {name: heads, group: others, set: {detector.method: {kind: heads, hidden: 4}}}
"""


def test_tables_from_a_command(toy, tmp_path, run):
    config = tmp_path / "study.yaml"
    config.write_text(STUDY, encoding="utf-8")
    words = ["ablate", "vip2clip", "--data", toy / "aux.jsonl", "--test", toy / "marked.jsonl"]
    words += ["-o", tmp_path / "out", "--config", config, "--backbone", "tiny", "--resamples", 10]
    status, out, _ = run(*words, "--set", "loss.focal=0", "--json")
    assert status == 0
    values = json.loads(out)
    assert [row["name"] for row in values["variants"]] == ["ViP²", "heads"]
    saved = (tmp_path / "out" / "study.yaml").read_text()
    assert "loss.focal: 0" in saved
    assert "10 images to train on, 4 held out" in (tmp_path / "out" / "ablation.md").read_text()

    status, out, said = run(*words, "--set", "loss.focal=0", "--group", "others")
    assert (status, out) == (0, "")
    assert "heads" in said
    assert "ablation.html" in said
    status, _, said = run(*words, "--set", "epoch=2")
    assert status == 1
    assert said.startswith("error: variant 'ViP²': unknown key 'epoch' (did you mean 'epochs'?)")


RADZ = """
set:
  mllm: {model: "random:llava", max_text_tokens: 24, adapt: {rank: 2, alpha: 4, dropout: 0}}
  epochs: 1
  batch_size: 6
variants:
  - {name: whole, group: whole}
  - {name: cosine, group: asked, set: {asked.mode: cosine}}
"""


def test_tables_of_findings_from_a_command(chests, tmp_path, run):
    config = tmp_path / "study.yaml"
    config.write_text(RADZ, encoding="utf-8")
    words = ["ablate", "radz", "--data", chests / "train.jsonl", "--test", chests / "test.jsonl"]
    words += ["-o", tmp_path / "out", "--config", config, "--resamples", 10]
    status, out, _ = run(*words, "--labels", "effusion,edema", "--set", "weights.local=0", "--json")
    assert status == 0
    assert [row["name"] for row in json.loads(out)["variants"]] == ["whole", "cosine"]
    assert "20 images, judged on edema, pleural effusion" in (tmp_path / "out" / "ablation.md").read_text()
    status, _, said = run(*words, "--group", "nothing")
    assert status == 1
    assert said.startswith("error: group: there is no 'nothing'; known: whole, asked")

"""``zerosight models push`` and ``pull``: what they say, and what they want."""

from __future__ import annotations

import json

from zerosight.models import hub


def test_where_a_model_went_and_where_it_is(run, model_folder, monkeypatch):
    named = f"hf://me/parts@{'a' * 40}"
    monkeypatch.setattr(hub, "push", lambda folder, name, private: f"hf://{name}@{'a' * 40}")
    monkeypatch.setattr(hub, "pinned", lambda name: f"{name}@{'a' * 40}")
    monkeypatch.setattr(hub, "fetch", lambda name: model_folder)
    assert json.loads(run("models", "push", model_folder, "me/parts", "--json")[1]) == {"model": named}
    assert json.loads(run("models", "pull", "me/parts", "--json")[1])["model"] == named
    assert f"--model {named}" in run("models", "pull", "hf://me/parts")[2]


def test_missing_names_are_one_line(run):
    assert "push MODEL OWNER/NAME" in run("models", "push", "vip2clip-lite")[2]
    assert "pull hf://OWNER/NAME" in run("models", "pull")[2]
    assert "name one" in run("models", "vip2clip-lite", "radz-tiny")[2]

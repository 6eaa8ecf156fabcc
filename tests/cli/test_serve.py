from __future__ import annotations

import logging
from pathlib import Path
from typing import Any


class Closed(logging.NullHandler):
    """A handler that tells whether somebody closed it."""

    closed = False

    def close(self) -> None:
        self.closed = True


def test_other_machines_need_a_token(run: Any, tmp_path: Path) -> None:
    status, _, messages = run("serve", "--host", "0.0.0.0", "--folder", tmp_path)
    assert status == 1
    assert "--token" in messages


def test_other_peoples_logs_stay_open(run: Any, tmp_path: Path) -> None:
    handler = Closed()
    assert run("serve", "--model", "vip2clip-light", "--port", 0, "--folder", tmp_path)[0] == 1
    assert not handler.closed


def test_a_model_that_is_not_there_is_one_line(run: Any, tmp_path: Path) -> None:
    status, _, messages = run("serve", "--model", "vip2clip-light", "--port", 0, "--folder", tmp_path)
    assert status == 1
    assert "did you mean 'vip2clip-lite'" in messages
    assert "Traceback" not in messages


def test_two_models_need_two_names(run: Any, tmp_path: Path) -> None:
    status, _, messages = run(
        "serve", "--model", "a=vip2clip-lite", "--model", "a=radz-tiny", "--folder", tmp_path
    )
    assert status == 1
    assert "two are called 'a'" in messages


def test_replicas_are_a_clusters(run: Any) -> None:
    for words in (("--replicas", "2"), ("--gpus", "0.5")):
        status, _, messages = run("serve", *words)
        assert (status, "without --on" in messages) == (1, True), messages
    status, _, messages = run("serve", "--on", "ray", "--replicas", "few")
    assert (status, "--replicas: is a number, or MIN:MAX" in messages) == (1, True), messages
    status, _, messages = run("serve", "--on", "ray", "--keep")
    assert (status, "--keep: replicas share no folder" in messages) == (1, True), messages

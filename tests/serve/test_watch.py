from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from zerosight.serve.jobs import Answer, Job
from zerosight.serve.store import Store
from zerosight.serve.watch import PATIENCE, Watcher


class FakePool:
    """Finds everything anomalous that does not begin with ``bad``."""

    name = "mean"

    async def ask(self, jobs: list[Job]) -> list[Answer]:
        [job] = jobs
        if job.blobs[0].startswith(b"bad"):
            return [Answer(error="is damaged", status=422)]
        return [Answer({"source": job.options["source"], "score": 1.0, "is_anomalous": True})]


@pytest.fixture
def story(tmp_path: Path) -> Callable[[Callable[[Path, Watcher, Store], Awaitable[None]]], None]:
    def play(act: Callable[[Path, Watcher, Store], Awaitable[None]]) -> None:
        folder = tmp_path / "in"
        folder.mkdir()
        store = Store(tmp_path / "server")
        pool: Any = FakePool()
        watcher = Watcher(folder, store, lambda: pool, 1000, True)
        asyncio.run(asyncio.wait_for(act(folder, watcher, store), 30))
        store.close()

    return play


def test_new_files_are_looked_at_once_when_they_stand_still(story: Any) -> None:
    async def act(folder: Path, watcher: Watcher, store: Store) -> None:
        (folder / "old.png").write_bytes(b"old")
        assert await watcher.look() == 0
        (folder / "sub").mkdir()
        (folder / "sub" / "new.png").write_bytes(b"half")
        assert await watcher.look() == 0
        (folder / "sub" / "new.png").write_bytes(b"whole now")
        assert await watcher.look() == 0
        assert await watcher.look() == 1
        assert await watcher.look() == 0
        [event] = store.events()
        assert (event.source, event.values["file"]) == ("sub/new.png", "sub/new.png")
        assert store.waiting() == 1
        again = Watcher(folder, store, watcher.pool, 1000, True)
        assert await again.look() + await again.look() == 0

    story(act)


def test_a_file_that_changes_is_looked_at_again(story: Any) -> None:
    async def act(folder: Path, watcher: Watcher, store: Store) -> None:
        await watcher.look()
        (folder / "a.png").write_bytes(b"1")
        assert [await watcher.look() for _ in range(2)] == [0, 1]
        (folder / "a.png").write_bytes(b"22")
        assert [await watcher.look() for _ in range(2)] == [0, 1]

    story(act)


def test_what_cannot_be_read_is_tried_again_and_then_told(story: Any) -> None:
    async def act(folder: Path, watcher: Watcher, store: Store) -> None:
        await watcher.look()
        (folder / "a.png").write_bytes(b"bad")
        looks = [await watcher.look() for _ in range(PATIENCE + 3)]
        assert looks == [0] * (PATIENCE + 1) + [1, 0]
        [event] = store.events()
        assert event.values["error"] == "is damaged"
        assert store.waiting() == 0

    story(act)


def test_links_hidden_files_other_kinds_and_giants_are_left_alone(story: Any, tmp_path: Path) -> None:
    async def act(folder: Path, watcher: Watcher, store: Store) -> None:
        await watcher.look()
        (tmp_path / "secret.png").write_bytes(b"1")
        os.symlink(tmp_path / "secret.png", folder / "link.png")
        os.symlink(tmp_path, folder / "linked")
        for name in (".hidden.png", "text.txt", "empty.png"):
            (folder / name).write_bytes(b"" if name == "empty.png" else b"1")
        (folder / "giant.png").write_bytes(bytes(1001))
        assert [await watcher.look() for _ in range(3)] == [0, 0, 0]

    story(act)

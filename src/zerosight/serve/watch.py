"""Watching a folder: new images in it are looked at by themselves, each once.

A file counts as written when its size and time have stood still between two looks. One that cannot be read
then is tried again a few times, in case its writer only paused. What was in the folder when it was first
watched is left alone. Links are not followed.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from zerosight.data.find import SUFFIXES
from zerosight.errors import one_line
from zerosight.serve.jobs import Answer, Job, ServeError
from zerosight.serve.pool import Pool
from zerosight.serve.store import Store

log = logging.getLogger("zerosight.serve")

WATCH = "watch"
PATIENCE = 5
_MOST = 100_000
_STARTED = "\0started"


class Watcher:
    """Looks at a folder.

    Args:
        folder: The folder.
        store: Remembers what was dealt with, and the events.
        pool: Gives the model to look with, at the time.
        limit: Files of more bytes are left alone.
        tell: Whether messages about anomalous images are to be sent.
    """

    def __init__(self, folder: Path, store: Store, pool: Callable[[], Pool], limit: int, tell: bool) -> None:
        self.folder, self.store, self.pool, self.limit, self.tell = folder, store, pool, limit, tell
        self._before: dict[str, str] = {}
        self._tries: dict[str, int] = {}

    async def forever(self, pause: float = 1.0) -> None:
        """Look, and look again after so many seconds; never returns."""
        while True:
            try:
                await self.look()
            except (OSError, ServeError) as error:
                log.warning("watch: %s", error)
            await asyncio.sleep(pause)

    async def look(self) -> int:
        """Deal with the files that stood still since the last look; return how many.

        Raises:
            OSError: The folder cannot be listed.
        """
        seen = await asyncio.to_thread(self.store.seen)
        now = await asyncio.to_thread(self._stamps)
        if _STARTED not in seen:
            await asyncio.to_thread(self.store.see, now | {_STARTED: "1"})
            return 0
        still = [path for path, stamp in now.items() if seen.get(path) != stamp == self._before.get(path)]
        self._before = now
        done = 0
        for path in still:
            done += await self._deal(path, now[path])
        return done

    async def _deal(self, name: str, stamp: str) -> bool:
        """Look at one file; return whether it is done with."""
        pool = self.pool()
        try:
            content = await asyncio.to_thread((self.folder / name).read_bytes)
        except OSError:
            return False  # gone or locked; the next look tells
        job = Job("predict", {"source": one_line(name), "map": None}, [content])
        [answer] = await pool.ask([job])
        if answer.error is not None and self._tries.get(name, 0) < PATIENCE:
            self._tries[name] = self._tries.get(name, 0) + 1
            return False
        self._tries.pop(name, None)
        await asyncio.to_thread(self._keep, pool.name, name, stamp, answer)
        return True

    def _keep(self, model: str, name: str, stamp: str, answer: Answer) -> None:
        values: dict[str, Any] = dict(answer.values) | {"source": one_line(name)}
        if answer.error is not None:
            values["error"] = answer.error
        alarm = bool(values.get("is_anomalous"))
        self.store.add_event(WATCH, model, values | {"file": name}, tell=alarm and self.tell)
        self.store.see({name: stamp})

    def _stamps(self) -> dict[str, str]:
        """Return the images in the folder with what changes when they do."""
        found: dict[str, str] = {}
        for entry in _files(self.folder):
            status = entry.stat(follow_symlinks=False)
            if 0 < status.st_size <= self.limit:
                name = Path(entry.path).relative_to(self.folder).as_posix()
                found[name] = f"{status.st_mtime_ns} {status.st_size}"
                if len(found) >= _MOST:
                    break
        return found


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield the images in a folder and those below it; hidden ones and links are left out."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path))
            elif entry.is_file(follow_symlinks=False) and Path(entry.name).suffix.lower() in SUFFIXES:
                yield entry

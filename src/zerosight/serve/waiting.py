"""Waiting: images of many clients in one bounded line, leaving it in batches.

A batch leaves when it is full or when its first image has waited long enough. Only images of one group
travel together, and an image that was in a crash travels alone. All of it happens on one event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from zerosight.serve.jobs import Answer, Job, ServeError


@dataclass(slots=True, eq=False)
class Waiting:
    """A job in the line.

    Attributes:
        job: The work.
        answer: Where its client waits; cancelled when the client is gone.
        since: When it came, in seconds of the monotonic clock.
        tries: How often it was sent to a process; one that is back in the line was in a crash.
    """

    job: Job
    answer: asyncio.Future[Answer]
    since: float = field(default_factory=time.monotonic)
    tries: int = 0


class Line:
    """A bounded line of jobs.

    Args:
        most: Jobs that may wait.
        most_bytes: Bytes that may wait.
        batch: Jobs per batch, at most.
        wait: Seconds that a job waits for company.
    """

    def __init__(self, most: int, most_bytes: int, batch: int, wait: float) -> None:
        self.most, self.most_bytes, self.batch, self.wait = most, most_bytes, batch, wait
        self._jobs: deque[Waiting] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._turn = asyncio.Lock()

    def __len__(self) -> int:
        """Return how many jobs wait."""
        return len(self._jobs)

    @property
    def full(self) -> bool:
        """Whether not even one more job may join."""
        return len(self._jobs) >= self.most or self._bytes >= self.most_bytes

    def join(self, jobs: Sequence[Job]) -> list[Waiting]:
        """Put jobs at the end, all or none.

        Raises:
            ServeError: There is no room (429, try again; 413 where there never will be).
        """
        size = sum(job.size for job in jobs)
        if len(jobs) > self.most or size > self.most_bytes:
            raise ServeError(f"{len(jobs)} images at once; send at most {self.most} per request", 413)
        self.forget()
        if len(self._jobs) + len(jobs) > self.most or self._bytes + size > self.most_bytes:
            raise ServeError("too many images are waiting; try again later", 429)
        loop = asyncio.get_running_loop()
        waiting = [Waiting(job, loop.create_future()) for job in jobs]
        self._jobs.extend(waiting)
        self._bytes += size
        self._arrived.set()
        return waiting

    def rejoin(self, jobs: Sequence[Waiting]) -> None:
        """Put jobs back at the front, however long the line is: they were accepted."""
        self._jobs.extendleft(reversed(jobs))
        self._bytes += sum(waiting.job.size for waiting in jobs)
        self._arrived.set()

    def forget(self) -> None:
        """Drop jobs whose clients are gone."""
        if any(waiting.answer.done() for waiting in self._jobs):
            gone = [waiting for waiting in self._jobs if waiting.answer.done()]
            self._jobs = deque(waiting for waiting in self._jobs if not waiting.answer.done())
            self._bytes -= sum(waiting.job.size for waiting in gone)

    def clear(self) -> list[Waiting]:
        """Take everyone out of the line."""
        self.forget()
        everyone = list(self._jobs)
        self._jobs.clear()
        self._bytes = 0
        return everyone

    async def take(self) -> list[Waiting]:
        """Return the next batch as soon as there is one; callers are served in turn."""
        async with self._turn:
            while True:
                self.forget()
                if not self._jobs:
                    self._arrived.clear()
                    await self._arrived.wait()
                elif (left := self._time_left()) > 0:
                    self._arrived.clear()
                    await _either(self._arrived, left)
                else:
                    return self._leave()

    def _time_left(self) -> float:
        """Return how many seconds the first job may still wait for company."""
        first = self._jobs[0]
        if first.tries or len(self._jobs) >= self.batch:
            return 0.0
        return first.since + self.wait - time.monotonic()

    def _leave(self) -> list[Waiting]:
        """Take the first job out of the line, with others of its group from anywhere in it."""
        first = self._jobs[0]
        chosen = [first]
        if not first.tries:
            same = (w for w in self._jobs if w.job.group == first.job.group and not w.tries)
            chosen = [waiting for waiting, _ in zip(same, range(self.batch), strict=False)]
        leaving = set(map(id, chosen))
        self._jobs = deque(waiting for waiting in self._jobs if id(waiting) not in leaving)
        self._bytes -= sum(waiting.job.size for waiting in chosen)
        return chosen


async def _either(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, but no longer than so many seconds."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)

"""Pools: a line of waiting images and the processes that work it off, restarted when they die.

What a dead process had in hand is tried once more, each image alone, so that one which kills its process
takes no other with it; killing two, it is answered with an error. Nothing that was accepted is ever lost.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import sys
import time
from collections.abc import Sequence
from typing import Any

from zerosight.errors import WeightsError
from zerosight.serve.jobs import FAILED, Answer, Job, ServeError
from zerosight.serve.metrics import Metrics
from zerosight.serve.process import ModelProcess
from zerosight.serve.settings import ServeSettings
from zerosight.serve.waiting import Line, Waiting

log = logging.getLogger("zerosight.serve")

TRIES = 2
_LONGEST_PAUSE = 30.0
_HOPELESS = 3
UNAVAILABLE, TIMED_OUT = 503, 504


class Pool:
    """A model behind a line.

    Args:
        name: What the server calls the model.
        command: Starts a process of it.
        settings: Sizes and limits.
        metrics: Counters.

    Attributes:
        facts: What the model says of itself, once started.
    """

    def __init__(self, name: str, command: Sequence[str], settings: ServeSettings, metrics: Metrics) -> None:
        limits, batching = settings.limits, settings.batching
        self.name, self.command, self.metrics = name, tuple(command), metrics
        self.facts: dict[str, Any] = {}
        self.line = Line(limits.queue, limits.waiting, batching.size, batching.wait)
        self._batching, self._limits, self._folder = batching, limits, settings.folder
        self._running: list[ModelProcess] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._rate = 0.0  # images per second, lately
        self._closing = False
        metrics.waiting.labels(name).set_function(lambda: len(self.line))

    @property
    def ready(self) -> bool:
        """Whether a process is there to work."""
        return bool(self._running) and not self._closing

    @property
    def pids(self) -> list[int]:
        """The numbers of its processes."""
        return [process.pid for process in self._running]

    async def start(self) -> None:
        """Start the processes; return when the first is ready.

        Raises:
            WeightsError: The model cannot be loaded.
        """
        first = await self._start()
        self.facts = first.facts
        self._keepers = [asyncio.create_task(self._keep(first))]
        self._keepers += [asyncio.create_task(self._keep(None)) for _ in range(self._batching.processes - 1)]

    def check_room(self) -> None:
        """Refuse a request before its body is read.

        Raises:
            ServeError: The line is full, or the server is closing.
        """
        if self._closing:
            raise ServeError("the server is shutting down", UNAVAILABLE, 5)
        self.line.forget()
        if self.line.full:
            self.metrics.refused.labels(self.name).inc()
            raise ServeError("too many images are waiting; try again later", 429, self._retry_after())

    async def ask(self, jobs: Sequence[Job]) -> list[Answer]:
        """Return the answers of jobs, in order; a caller that is cancelled takes its jobs back.

        Raises:
            ServeError: There is no room (429), they took too long (504), or the server is closing (503).
        """
        self.check_room()
        try:
            waiting = self.line.join(jobs)
        except ServeError as error:
            if error.status == 429:
                self.metrics.refused.labels(self.name).inc()
                error.retry_after = self._retry_after()
            raise
        patience = max((job.patience for job in jobs if job.kind != "predict"), default=self._limits.seconds)
        answers = [one.answer for one in waiting]
        try:
            async with asyncio.timeout(patience):
                return await asyncio.gather(*answers)
        except TimeoutError:
            raise ServeError(
                f"no answer after {patience:g} s; the images were dropped", TIMED_OUT, 5
            ) from None
        finally:
            for answer in answers:
                answer.cancel()

    async def stop(self, grace: float = 30.0) -> None:
        """Take nothing more, answer what was accepted, and end the processes."""
        self._closing = True
        end = time.monotonic() + grace
        while (len(self.line) or any(p.busy for p in self._running)) and time.monotonic() < end:
            self.line.forget()
            await asyncio.sleep(0.02)
        for process in list(self._running):
            await process.stop()
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._give_up("the server is shutting down")

    async def _start(self) -> ModelProcess:
        return await ModelProcess.start(self.command, self._folder, self._limits.loading)

    async def _keep(self, process: ModelProcess | None) -> None:
        """Keep one process running for as long as the pool is open."""
        failures = 0
        while not self._closing:
            try:
                process = process or await self._start()
            except (WeightsError, OSError) as error:
                failures += 1
                log.error("model %s: %s", self.name, error)
                if failures >= _HOPELESS and not self._running:
                    self._give_up("the model cannot be started; see the server's log")
                await asyncio.sleep(min(_LONGEST_PAUSE, 0.2 * 2**failures))
                continue
            start = time.monotonic()
            self._running.append(process)
            try:
                lost = await process.work(self.line, self._batching.lanes, self._note)
            finally:
                self._running.remove(process)
            if self._closing:
                self._return(lost)
                return
            failures = failures + 1 if time.monotonic() - start < 1 else 0
            log.error("model %s: process %d died with %d images in hand", self.name, process.pid, len(lost))
            self.metrics.crashes.labels(self.name).inc()
            self._return(lost)
            process = None
            await asyncio.sleep(min(_LONGEST_PAUSE, 0.1 * 2**failures - 0.1))

    def _return(self, lost: Sequence[Waiting]) -> None:
        """Put jobs back in the line that a dead process had in hand, or answer them."""
        again = [w for w in lost if w.tries < TRIES and w.job.kind == "predict" and not self._closing]
        chosen = set(map(id, again))
        for waiting in lost:
            if id(waiting) not in chosen:
                waiting.answer.set_result(Answer(error="the model's process died over it", status=FAILED))
        self.line.rejoin(again)

    def _give_up(self, reason: str) -> None:
        for waiting in self.line.clear():
            waiting.answer.set_result(Answer(error=reason, status=UNAVAILABLE))

    def _note(self, jobs: Sequence[Waiting], answers: Sequence[Answer], seconds: float) -> None:
        """Count a batch that was answered."""
        metrics, now = self.metrics, time.monotonic()
        metrics.batches.labels(self.name).observe(len(jobs))
        metrics.model_seconds.labels(self.name).observe(seconds)
        for waiting, answer in zip(jobs, answers, strict=True):
            metrics.waited.labels(self.name).observe(max(0.0, now - waiting.since - seconds))
            metrics.images.labels(self.name, "failed" if answer.error else "answered").inc()
        rate = len(jobs) * self._batching.lanes / max(seconds, 1e-3)
        self._rate = rate if not self._rate else 0.8 * self._rate + 0.2 * rate

    def _retry_after(self) -> int:
        """Return in how many seconds half of the line will have gone, at the pace of late."""
        return min(60, max(1, math.ceil(len(self.line) / 2 / self._rate))) if self._rate else 1


def model_command(model: str, settings: ServeSettings) -> list[str]:
    """Return the command that starts a process of a model."""
    told = json.dumps(model_settings(model, settings))
    return [sys.executable, "-P", "-m", "zerosight.serve.worker", told]


def model_settings(model: str, settings: ServeSettings) -> dict[str, Any]:
    """Return what a process of a model is told."""
    return {
        "model": model,
        "device": settings.device,
        "batch": settings.batching.size,
        "pixels": settings.limits.pixels,
        "lanes": settings.batching.lanes,
    }

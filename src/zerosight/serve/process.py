"""One model's process as the server sees it: started, fed with batches, and told apart from a dead one."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from zerosight.errors import WeightsError
from zerosight.serve.frames import BrokenFrame, pack, receive_frame
from zerosight.serve.jobs import Answer, answers_of, batch_frame
from zerosight.serve.waiting import Line, Waiting

_BUFFER = 4 << 20
_FAREWELL = 5.0
_UNKNOWN = -1
Note = Callable[[Sequence[Waiting], Sequence[Answer], float], None]


class ModelProcess:
    """A running process. Made by :meth:`start`.

    Attributes:
        facts: What the process says of its model.
        pid: Its number.
    """

    def __init__(self, process: asyncio.subprocess.Process, facts: dict[str, Any]) -> None:
        self._process = process
        self.facts = facts
        self.pid = process.pid
        self._numbers = itertools.count()
        self._out: dict[int, tuple[Sequence[Waiting], asyncio.Future[None]]] = {}
        self._gate = asyncio.Lock()

    @classmethod
    async def start(cls, command: Sequence[str], folder: Path, seconds: float = 600.0) -> ModelProcess:
        """Return the process once its model is loaded.

        Args:
            command: What to run.
            folder: Where it works.
            seconds: That loading may take.

        Raises:
            WeightsError: The model cannot be loaded, or not in time, or the process died over it.
        """
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_BUFFER,
            cwd=folder,
            start_new_session=sys.platform != "win32",  # Ctrl-C is the server's to hear
        )
        assert process.stdout is not None
        try:
            frame = await asyncio.wait_for(receive_frame(process.stdout), seconds)
        except BrokenFrame:
            frame = None
        except TimeoutError:
            _kill(process)
            await _ended(process)
            raise WeightsError(f"the model was not loaded after {seconds:g} s") from None
        except asyncio.CancelledError:
            _kill(process)
            await _ended(process)
            raise
        if frame is None or "ready" not in frame.head:
            _kill(process)
            status = await _ended(process)
            reason = frame.head.get("error") if frame else None
            raise WeightsError(reason or f"the model's process died while loading (status {status})")
        return cls(process, frame.head["ready"])

    @property
    def busy(self) -> int:
        """How many batches it has in hand."""
        return len(self._out)

    async def work(self, line: Line, lanes: int, note: Note) -> list[Waiting]:
        """Feed batches of a line to the process until it ends.

        Args:
            line: Where the jobs wait.
            lanes: Batches in hand at once.
            note: Told of every batch answered, with the seconds it took.

        Returns:
            The jobs that it had in hand when it died, not yet answered.
        """
        tasks = [asyncio.create_task(self._lane(line)) for _ in range(lanes)]
        try:
            await self._listen(note)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            _kill(self._process)
        await _ended(self._process)
        lost = [waiting for jobs, _ in self._out.values() for waiting in jobs if not waiting.answer.done()]
        self._out.clear()
        return lost

    async def stop(self) -> None:
        """End the process: it finishes what it has in hand, or is killed after a few seconds."""
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _FAREWELL)
        except TimeoutError:
            _kill(self._process)
        await _ended(self._process)

    async def _lane(self, line: Line) -> None:
        """Take batches, one after the other, and wait for each to be answered.

        A job that was in a crash is sent when the other lanes are empty, and keeps them so.
        """
        while True:
            async with self._gate:
                jobs = await line.take()
                others = [done for _, done in self._out.values()]
                number, done = next(self._numbers), asyncio.get_running_loop().create_future()
                self._out[number] = (jobs, done)
                if jobs[0].tries:
                    await asyncio.gather(*others)
                    await self._send(number)
            if not done.done():
                await self._send(number)

    async def _send(self, number: int) -> None:
        """Send a batch and wait until it is answered; a process that never answers is killed."""
        assert self._process.stdin is not None
        jobs, done = self._out[number]
        for waiting in jobs:
            waiting.tries += 1
        try:
            for piece in pack(batch_frame(number, [waiting.job for waiting in jobs])):
                self._process.stdin.write(piece)
            await self._process.stdin.drain()
            await asyncio.wait_for(done, max(waiting.job.patience for waiting in jobs))
        except (TimeoutError, OSError):
            _kill(self._process)  # the listener sees it end
            await asyncio.Future()  # and cancels this lane

    async def _listen(self, note: Note) -> None:
        """Hand answers to those who wait for them until the process ends or talks nonsense."""
        assert self._process.stdout is not None
        while True:
            try:
                frame = await receive_frame(self._process.stdout)
                if frame is None:
                    return
                number, answers, seconds = frame.head["batch"], answers_of(frame), frame.head["seconds"]
                jobs, done = self._out[number]
            except (BrokenFrame, KeyError):
                return
            if len(answers) != len(jobs):
                return
            del self._out[number]
            for waiting, answer in zip(jobs, answers, strict=True):
                if not waiting.answer.done():
                    waiting.answer.set_result(answer)
            if not done.done():
                done.set_result(None)
            note(jobs, answers, seconds)


async def _ended(process: asyncio.subprocess.Process) -> int:
    """Return the status of a process once it has ended and its pipes are closed; waits a few seconds only."""
    if process.stdin is not None:
        process.stdin.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(_FAREWELL):
            if process.stdin is not None:
                with suppress(OSError):
                    await process.stdin.wait_closed()
            if process.stdout is not None:
                with suppress(RuntimeError):  # another task reads it to its end
                    while await process.stdout.read(_BUFFER):
                        pass
            return await process.wait()
    return _UNKNOWN if process.returncode is None else process.returncode


def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill a process and those that it started."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)  # it leads a session of its own

"""A model's process: batches come in on standard input, answers go out on standard output.

It ends when its input ends, and when the server is gone, whatever it is at: it never outlives the server.
What libraries print goes to standard error.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BufferedIOBase
from typing import Any

from zerosight.errors import ZerosightError
from zerosight.guarded.json import parse_json
from zerosight.serve.frames import Frame, pack, read_frame
from zerosight.serve.jobs import FAILED, Answer, Job, answer_frame, jobs_of
from zerosight.serve.work import AnomalyWork, FindingWork, Work


def main(arguments: Sequence[str]) -> int:
    """Load the model that the first argument describes as JSON, and answer until the input ends."""
    for number in (signal.SIGINT, signal.SIGTERM):  # both may reach every process of a service
        signal.signal(number, signal.SIG_IGN)  # the server decides when to end
    end_with_parent()
    source, sink = os.fdopen(os.dup(0), "rb"), _private_output()
    settings = parse_json(arguments[0])
    try:
        work = load_work(settings)
    except ZerosightError as error:
        _send(sink, Frame({"error": str(error)}))
        return 1
    _send(sink, Frame({"ready": work.facts}))
    serve(work, source, sink, settings["lanes"])
    return 0


def end_with_parent(pause: float = 0.5) -> None:
    """End this process as soon as the one that started it is gone, while a model loads or hangs, too.

    Args:
        pause: Seconds between looks.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(pause)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def load_work(settings: dict[str, Any]) -> Work:
    """Return the model that the settings name, warmed up.

    Args:
        settings: ``model``, ``device``, ``batch`` (images per pass), ``pixels`` (of one image, at most).

    Raises:
        ZerosightError: The model cannot be loaded.
    """
    import zerosight
    from zerosight.models.catalog import FINDINGS, task_of

    model, device, batch = settings["model"], settings["device"], settings["batch"]
    if task_of(model) == FINDINGS:
        return FindingWork(zerosight.load_findings(model, device, batch), settings["pixels"])
    work = AnomalyWork(zerosight.load(model, device, batch), settings["pixels"], model)
    work([_blank()])  # what a model computes once, it computes now
    return work


def serve(work: Work, source: BufferedIOBase, sink: BufferedIOBase, lanes: int) -> None:
    """Answer every batch of the source on the sink, ``lanes`` of them at a time, until the source ends."""
    lock = threading.Lock()

    def answer(frame: Frame) -> None:
        start = time.perf_counter()
        answers = answer_all(work, jobs_of(frame))
        reply = answer_frame(frame.head["batch"], answers, time.perf_counter() - start)
        with lock:
            _send(sink, reply)

    def checked(frame: Frame) -> None:
        try:
            answer(frame)
        except BaseException:  # a lane that dies in silence would leave its clients waiting
            traceback.print_exc()
            os._exit(1)

    with ThreadPoolExecutor(lanes, thread_name_prefix="lane") as pool:
        while (frame := read_frame(source)) is not None:
            pool.submit(checked, frame)


def answer_all(work: Work, jobs: Sequence[Job]) -> list[Answer]:
    """Return the answers of a batch; where the batch as a whole fails, of each job alone."""
    try:
        return work(jobs)
    except Exception as error:
        if len(jobs) > 1:
            return [found for job in jobs for found in answer_all(work, [job])]
        traceback.print_exc()
        return [
            Answer(error=f"the model failed ({type(error).__name__}); see the server's log", status=FAILED)
        ]


def _blank() -> Job:
    return Job("predict", {"shape": [32, 32, 3], "source": "blank"}, [bytes(32 * 32 * 3)])


def _private_output() -> BufferedIOBase:
    """Return standard output for frames alone; whatever else is printed goes to standard error."""
    own = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(own, "wb")


def _send(sink: BufferedIOBase, frame: Frame) -> None:
    for piece in pack(frame):
        sink.write(piece)
    sink.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

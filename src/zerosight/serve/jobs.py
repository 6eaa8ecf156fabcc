"""Jobs: one image to be looked at, and the answer; what passes between the server and a model's process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zerosight.errors import ZerosightError
from zerosight.serve.frames import BrokenFrame, Frame

UNREADABLE, FAILED = 422, 500


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work.

    Attributes:
        kind: ``predict`` for one image, or another word that the model's process knows.
        options: JSON values; jobs of one kind with the same ``group`` may share a batch.
        blobs: Bytes of files, or of arrays.
        group: Jobs of different groups never share a batch.
        patience: Seconds that it may take before its process is taken for hung.
    """

    kind: str
    options: Mapping[str, Any]
    blobs: Sequence[bytes]
    group: str = ""
    patience: float = 120.0

    @property
    def size(self) -> int:
        """Bytes that it holds in memory."""
        return sum(map(len, self.blobs))


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a job: values and blobs by name, or an error of one line.

    Attributes:
        values: JSON values.
        blobs: Bytes by name, such as ``map``.
        error: None where all is well.
        status: What an error is, as HTTP counts: 422 for an image, 400 for a question, 500 for a fault.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    blobs: Mapping[str, bytes] = field(default_factory=dict)
    error: str | None = None
    status: int = 200


class ServeError(ZerosightError):
    """A request that cannot be answered as asked.

    Args:
        message: One line.
        status: As HTTP counts.
        retry_after: Seconds after which it is worth trying again; None where it is not.
    """

    def __init__(self, message: str, status: int = 400, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


def batch_frame(number: int, jobs: Sequence[Job]) -> Frame:
    """Return the frame that carries a batch to a model's process."""
    listed = [{"kind": job.kind, "options": dict(job.options), "count": len(job.blobs)} for job in jobs]
    return Frame({"batch": number, "jobs": listed}, [blob for job in jobs for blob in job.blobs])


def jobs_of(frame: Frame) -> list[Job]:
    """Return the jobs that a frame carries.

    Raises:
        BrokenFrame: It carries none.
    """
    blobs = iter(frame.blobs)
    try:
        return [
            Job(item["kind"], item["options"], [next(blobs) for _ in range(item["count"])])
            for item in frame.head["jobs"]
        ]
    except (KeyError, TypeError, RuntimeError, StopIteration) as error:
        raise BrokenFrame(f"no batch ({error})") from None


def answer_frame(number: int, answers: Sequence[Answer], seconds: float) -> Frame:
    """Return the frame that carries a batch's answers back; ``seconds`` is what the batch took."""
    listed = [
        {"values": dict(a.values), "names": list(a.blobs), "error": a.error, "status": a.status}
        for a in answers
    ]
    head = {"batch": number, "answers": listed, "seconds": seconds}
    return Frame(head, [blob for a in answers for blob in a.blobs.values()])


def answers_of(frame: Frame) -> list[Answer]:
    """Return the answers that a frame carries.

    Raises:
        BrokenFrame: It carries none.
    """
    blobs = iter(frame.blobs)
    try:
        return [
            Answer(item["values"], {n: next(blobs) for n in item["names"]}, item["error"], item["status"])
            for item in frame.head["answers"]
        ]
    except (KeyError, TypeError, RuntimeError, StopIteration) as error:
        raise BrokenFrame(f"no answers ({error})") from None

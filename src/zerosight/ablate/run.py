"""Run a study: what a journal has is not done again, what has changed is.

    OUT/outcomes.jsonl    one line per finished run of a variant, on disk at once

A line belongs to a run by its identity, which changes with the settings, the data and the frozen weights;
lines of another identity stay, and count for nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zerosight.ablate.outcome import Outcome
from zerosight.journal import JournalFiles, LineJournal, ResumePolicy, of_json

FILES = JournalFiles("outcomes.jsonl")


@dataclass(frozen=True, slots=True)
class Job:
    """One run of a variant.

    Attributes:
        variant: Its name.
        seed: Of the run.
        identity: See :func:`identity_of`.
        work: Does the run.
    """

    variant: str
    seed: int
    identity: str
    work: Callable[[], Outcome]


@dataclass(frozen=True, slots=True)
class Study:
    """The outcomes of all runs, by variant, in the order of the jobs."""

    outcomes: Mapping[str, tuple[Outcome, ...]]


Tell = Callable[[str, int, int], None]
"""Takes what is being done, and the numbers of runs done and of all."""
Step = Callable[[int, int], None]
"""Takes the numbers of training steps done and of all."""


def run_study(jobs: Sequence[Job], out: Path, tell: Tell = lambda name, done, total: None) -> Study:
    """Return the outcomes of all jobs, after doing those that are not done.

    Args:
        jobs: What is to be done. Jobs of one identity are done once.
        out: Folder of the journal.
        tell: Told before each run, and in the end.

    Raises:
        ZerosightError: A job cannot be done, or the folder cannot be used; what is finished is kept.
    """
    journal = LineJournal(ResumePolicy(out, resume=True), {}, FILES, of_json(Outcome.from_json))
    try:
        known = {outcome.identity: outcome for outcome in journal.found}
        for done, job in enumerate(jobs):
            tell(job.variant, done, len(jobs))
            if job.identity not in known:
                known[job.identity] = outcome = job.work()
                journal.add(outcome.to_json())
        tell("done", len(jobs), len(jobs))
    finally:
        journal.close()
    found: dict[str, tuple[Outcome, ...]] = {}
    for job in jobs:
        found[job.variant] = (*found.get(job.variant, ()), known[job.identity])
    return Study(found)


def identity_of(*parts: Any) -> str:
    """Return what changes with any of the parts, which are JSON values.

    >>> identity_of({"a": 1}, 2) == identity_of({"a": 1}, 3)
    False
    """
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()

"""A study from its jobs to its tables: what every system does alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

from zerosight.ablate.config import StudyConfig
from zerosight.ablate.outcome import Outcome
from zerosight.ablate.output import write_study
from zerosight.ablate.run import Job, Step, Tell, run_study
from zerosight.ablate.tables import StudyTables, make_tables

STUDY = "study.yaml"


@runtime_checkable
class Task(Protocol):
    """One run of one variant."""

    @property
    def identity(self) -> str:
        """What the outcome depends on, as a hash."""

    def work(self, step: Step) -> Outcome:
        """Train the variant, unless a folder holds it, and judge it on every data set."""


def jobs_of(study: StudyConfig, task: Callable[[str, int], Task], step: Step) -> list[Job]:
    """Return a job per variant and seed.

    Args:
        study: The variants.
        task: Returns the run of a variant, by its name, and a seed.
        step: Told after each training step.
    """
    pairs = [(one.name, seed) for one in study.variants for seed in study.seeds_of(one)]
    tasks = [(name, seed, task(name, seed)) for name, seed in pairs]
    return [Job(name, seed, one.identity, partial(one.work, step)) for name, seed, one in tasks]


def make_study(
    study: StudyConfig, jobs: Sequence[Job], out: Path, about: Mapping[str, str], pictured: str, tell: Tell
) -> StudyTables:
    """Return the tables of a study, after doing what is not done, and write them.

    Args:
        study: The variants.
        jobs: One per variant and seed.
        out: Folder for everything that is found.
        about: What to say of data and command in the results.
        pictured: The metric whose mean the picture shows.
        tell: Told before each run of a variant.

    Raises:
        ZerosightError: A setting, image or folder cannot be used; what is finished is kept.
    """
    study.save(out / STUDY)
    tables = make_tables(study, run_study(jobs, out, tell))
    write_study(out, tables, about, pictured)
    return tables

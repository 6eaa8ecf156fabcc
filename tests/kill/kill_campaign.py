"""Kills at random moments: ``python tests/kill/kill_campaign.py --kills 20 --report kills.md``.

Every job is done once undisturbed. Then it is begun again and again in an empty folder, killed by SIGKILL at
a moment chosen by chance, and gone on with. What the folder holds in the end has to be what the undisturbed
job left, byte for byte, but for the time of day in pages and the notes that Lightning makes for itself; and
nothing besides.

All jobs run in forks of a process that has loaded the libraries, so that kills fall into the work and not
into minutes of imports.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LONGEST = 600.0  # seconds of a job
TIME_OF_DAY = re.compile(rb"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?(\.\d+)?( ?[A-Z]{3,4}|[+-]\d\d:?\d\d)?")
NO_RESULTS = re.compile(r"(^|/)(\.zerosight\.lock|log/.*)$")  # of the lock and of TensorBoard


@dataclass(frozen=True, slots=True)
class Job:
    """A command into the folder ``out`` of the current one.

    Attributes:
        name: What it is called in the report.
        command: The command line that begins it and goes on with it.
    """

    name: str
    command: tuple[str, ...]


@dataclass(slots=True)
class Outcome:
    """What the kills of one job led to."""

    kills: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0


JOBS = (
    # A resumed run cuts its batches at other images, and larger ones are summed in another order.
    Job("predict", ("predict", "img", "--model=model", "--out=out", "--resume", "--batch-size=1")),
    Job(
        "evaluate",
        ("evaluate", "--data=toy/toy.jsonl", "--model=model", "--out=out", "--resume", "--batch-size=1"),
    ),
    Job(
        "synthesize",
        ("data", "synthesize", "--out", "out", "--count", "24", "--size", "64", "--workers", "1"),
    ),
    Job("train vip2clip", ("train", "vip2clip", "--config", "vip2clip.yaml", "--out", "out", "--resume")),
    Job("train radz", ("train", "radz", "--config", "radz.yaml", "--out", "out", "--resume")),
)


def make_material(folder: Path) -> None:
    """Write images, a toy data set, a miniature model and the settings of two small trainings."""
    import numpy as np
    import torch
    import yaml
    from PIL import Image

    from zerosight.backbones.config import BackboneConfig
    from zerosight.backbones.tiny import tiny_encoder
    from zerosight.data.manifest import ManifestHeader, Record, write_manifest
    from zerosight.models.vip2clip.card import Vip2ClipCard
    from zerosight.models.vip2clip.folder import save_model
    from zerosight.models.vip2clip.model import Vip2Clip, Vip2ClipConfig

    rng = np.random.default_rng(0)
    (folder / "img").mkdir()
    (folder / "toy").mkdir()
    rows, studies = [], []
    for i in range(24):
        pixels = rng.integers(100, 140, (40, 56, 3), dtype=np.uint8)
        mask = np.zeros((40, 56), np.uint8)
        if i % 2:
            pixels[9:24, 12:30], mask[9:24, 12:30] = 250, 255
            Image.fromarray(mask).save(folder / "toy" / f"{i}_mask.png")
        Image.fromarray(pixels).save(folder / "toy" / f"{i}.png")
        Image.fromarray(pixels).save(folder / "img" / f"{i:02d}.png")
        split = ("train", "val", "test")[i // 2 % 3]
        masked = f"{i}_mask.png" if i % 2 else None
        rows.append(Record(f"{i}.png", masked, i % 2, split=split, group=str(i)))
        labels = {"pleural effusion": i % 2, "no finding": 1 - i % 2}
        text = f"{'There is a' if i % 2 else 'No'} pleural effusion. The heart is normal. Study {i}."
        studies.append(Record(f"{i}.png", labels=labels, text=text, split=split, group=str(i)))
    write_manifest(folder / "toy" / "toy.jsonl", ManifestHeader("toy", "."), rows)
    write_manifest(folder / "toy" / "studies.jsonl", ManifestHeader("studies", "."), studies)
    torch.manual_seed(0)
    card = Vip2ClipCard(name="tiny", backbone=BackboneConfig(kind="tiny", image_size=48))
    save_model(Vip2Clip(tiny_encoder(0, 48), Vip2ClipConfig()), card, folder / "model")
    backbone = {"kind": "tiny", "image_size": 48}
    mllm = {"model": "random:llava", "max_text_tokens": 48}
    mllm |= {"adapt": {"method": "lora", "rank": 4, "alpha": 8, "dropout": 0}}
    vip2clip = {"data": ["toy/toy.jsonl"], "backbone": backbone, "epochs": 3, "cache": {"folder": "cache"}}
    radz = {"data": ["toy/studies.jsonl"], "mllm": mllm, "epochs": 2, "batch_size": 4, "micro_batch_size": 2}
    for name, values in (("vip2clip", vip2clip), ("radz", radz)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(values))


def load_libraries() -> None:
    """Import what the jobs need, and compute nothing: threads would not live in forks."""
    import torch

    import zerosight.cli.main
    import zerosight.evaluate.anomalies.run
    import zerosight.predict.anomalies
    import zerosight.report.html
    import zerosight.synthesis.surfaces
    import zerosight.train.radz.run
    import zerosight.train.vip2clip.run  # noqa: F401

    torch.set_num_threads(1)


def begin(job: Job) -> int:
    """Start a job in a fork and return its process."""
    process = os.fork()
    if process:
        return process
    status = 70
    try:
        os.setsid()
        said = os.open("said.txt", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.dup2(said, 1)
        os.dup2(said, 2)
        from zerosight.cli.main import run

        sys.argv = ["zerosight", *job.command]
        run()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        os._exit(status)


def wait(process: int, seconds: float) -> int | None:
    """Return the exit status of a process, or None if it has not ended in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    return None


def finish(job: Job) -> str:
    """Run a job to its end, and return what was wrong."""
    process = begin(job)
    status = wait(process, LONGEST)
    if status is None:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        return f"had not ended after {LONGEST:.0f} s"
    said = Path("said.txt").read_text(errors="replace").strip().splitlines()
    return f"ended with status {status}: {said[-1] if said else ''}" if status else ""


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder by name, without the time of day in texts."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not NO_RESULTS.search(name):
            content = training_state(path) if path.suffix == ".ckpt" else path.read_bytes()
            is_text = path.suffix in (".html", ".json", ".md", ".yaml", ".csv", ".jsonl")
            found[name] = TIME_OF_DAY.sub(b"TIME", content) if is_text else content
    return found


def training_state(checkpoint: Path) -> bytes:
    """Return what training goes on from: weights, optimizer and schedule, without the trainer's own notes."""
    import pickle

    import torch

    def plain(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return (
                str(value.dtype),
                tuple(value.shape),
                value.contiguous().numpy().tobytes(),
            )
        if isinstance(value, dict):
            return [(str(key), plain(item)) for key, item in value.items()]
        return [plain(item) for item in value] if isinstance(value, list | tuple) else value

    kept = torch.load(checkpoint, map_location="cpu", weights_only=True)
    names = ("epoch", "global_step", "state_dict", "optimizer_states", "lr_schedulers")
    return pickle.dumps([plain(kept[name]) for name in names])


def difference(expected: dict[str, bytes], found: dict[str, bytes]) -> str:
    """Return in which way two folders differ, or nothing."""
    lost, more = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    other = [name for name in expected if name in found and expected[name] != found[name]]
    told = [("lost", lost), ("left over", more), ("another content", other)]
    return "; ".join(f"{word}: {', '.join(names[:4])}" for word, names in told if names)


def campaign(job: Job, kills: int, rng: random.Random, say: Callable[[str], object]) -> Outcome:
    """Kill a job again and again and go on with it; the current folder holds the material."""
    outcome, out = Outcome(), Path("out")
    begun = time.monotonic()
    wrong = finish(job)
    if wrong:
        outcome.wrong.append(f"undisturbed: {wrong}")
        return outcome
    outcome.seconds = latest = time.monotonic() - begun
    expected = contents(out)
    for _ in range(5 * kills):
        if outcome.kills == kills:
            break
        _empty(out)
        process, moment = begin(job), rng.uniform(0, latest)
        if wait(process, moment) is not None:
            latest = moment  # it was quicker than the first time
            continue
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        outcome.kills += 1
        wrong = finish(job) or difference(expected, contents(out))
        if wrong:
            outcome.wrong.append(f"killed after {moment:.2f} s: {wrong}")
        say(f"{job.name}: kill {outcome.kills}, after {moment:.2f} s: {wrong or 'as if nothing had been'}")
    return outcome


def _empty(out: Path) -> None:
    for folder in (out, Path("cache")):
        shutil.rmtree(folder, ignore_errors=True)


def table(outcomes: dict[str, Outcome]) -> str:
    """Return the result as Markdown."""
    rows = ["| job | undisturbed, s | kills | resumed to equal results | wrong |", "|---|---|---|---|---|"]
    for name, found in outcomes.items():
        equal = found.kills - len(found.wrong)
        rows.append(f"| {name} | {found.seconds:.1f} | {found.kills} | {equal} | {len(found.wrong)} |")
    told = [f"\n    {name}: {line}" for name, found in outcomes.items() for line in found.wrong]
    return "\n".join(rows + told) + "\n"


def run_jobs(
    jobs: tuple[Job, ...], kills: int, seed: int, say: Callable[[str], object]
) -> dict[str, Outcome]:
    """Kill each of the jobs so many times, in a folder that is removed afterwards."""
    load_libraries()
    home, rng = Path.cwd(), random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        material = os.fork()  # computes, so that this process need not
        if not material:
            make_material(Path(folder))
            os._exit(0)
        os.waitpid(material, 0)
        os.chdir(folder)
        try:
            outcomes = {}
            for job in jobs:
                _empty(Path("out"))
                outcomes[job.name] = campaign(job, kills, rng, say)
            return outcomes
        finally:
            os.chdir(home)


def main() -> int:
    """Run the campaign; status 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="of each job")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=[job.name for job in JOBS])
    parser.add_argument("--report", type=Path, help="file for the table")
    asked = parser.parse_args()
    jobs = tuple(job for job in JOBS if asked.only in (None, job.name))
    outcomes = run_jobs(jobs, asked.kills, asked.seed, lambda line: print(line, flush=True))
    text = table(outcomes)
    print(text)
    if asked.report:
        asked.report.write_text(text, encoding="utf-8")
    return int(any(found.wrong or found.kills < asked.kills for found in outcomes.values()))


if __name__ == "__main__":
    sys.exit(main())

"""A long run of the fuzzers: ``python tests/fuzz/fuzz_campaign.py --minutes 10 --report fuzz.md``.

A child reads one damaged file after another under a limit of memory; this process watches it, ends it when it
hangs, and starts it again behind the input that killed it. An input is made from its number alone, so each
fault can be had again: ``python tests/fuzz/fuzz_campaign.py --only NUMBER``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SLOW = 5.0  # seconds of computing
DEAD = 60.0  # seconds on the wall without a word after which a child is ended
ROOM = 6 * 2**30  # bytes of addresses of a child, most of which PyTorch reserves and never touches
CLEAR = Path("/proc/self/clear_refs")


@dataclass(slots=True)
class Tally:
    """What became of the inputs of one kind."""

    read: int = 0
    refused: int = 0
    faults: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)
    seconds: float = 0.0
    megabytes: int = 0

    @property
    def tried(self) -> int:
        """Number of inputs."""
        return self.read + self.refused + len(self.faults) + len(self.deaths)

    def add(self, number: int, result: str, seconds: float, megabytes: int) -> None:
        """Count one input."""
        if result in ("read", "refused"):
            setattr(self, result, getattr(self, result) + 1)
        else:
            self.faults.append(f"{number}: {result}")
        if seconds > SLOW:
            self.slow.append(f"{number}: {seconds:.1f} s")
        self.seconds, self.megabytes = max(self.seconds, seconds), max(self.megabytes, megabytes)


def child(numbers: Iterator[int]) -> None:
    """Read the inputs of these numbers; a line before and after each tells how it went."""
    from fuzz_targets import draw, try_out

    resource.setrlimit(resource.RLIMIT_AS, (ROOM, ROOM))
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            kind, content = draw(number)
            print(json.dumps([number, kind]), flush=True)
            if CLEAR.exists():
                CLEAR.write_text("5")  # the peak begins anew
            begun = _computed()
            result = try_out(kind, content, Path(folder))
            print(json.dumps([number, kind, result, _computed() - begun, _peak()]), flush=True)


def campaign(seconds: float, start: int, most: int) -> dict[str, Tally]:
    """Try inputs for so many seconds, or so many inputs, and return what became of them by kind."""
    tallies: dict[str, Tally] = {}
    end, number, last = time.monotonic() + seconds, start, start + most
    while number < last and time.monotonic() < end:
        command = [sys.executable, __file__, "--child", str(number), str(last)]
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        begun, how = None, "was ended from outside"
        for line in _lines(worker, end):
            if line is None:
                how = f"silent for {DEAD:.0f} s"
                break
            values = json.loads(line)
            if len(values) == 2:
                begun = values
                continue
            begun, number = None, values[0] + 1
            tallies.setdefault(values[1], Tally()).add(values[0], *values[2:])
        worker.kill()
        worker.wait()
        if begun is not None and time.monotonic() < end:
            tallies.setdefault(begun[1], Tally()).deaths.append(f"{begun[0]}: {how}, {worker.returncode}")
            number = begun[0] + 1
    return tallies


def _lines(worker: subprocess.Popen[bytes], end: float) -> Iterator[bytes | None]:
    """Yield the lines of a child until it ends or time is up; None when it has been silent for too long."""
    assert worker.stdout is not None
    rest, heard = b"", time.monotonic()
    while time.monotonic() < end:
        if not select.select([worker.stdout], [], [], 1.0)[0]:
            if time.monotonic() - heard > DEAD:
                yield None
            continue
        heard, block = time.monotonic(), os.read(worker.stdout.fileno(), 1 << 16)
        if not block:
            return
        *lines, rest = (rest + block).split(b"\n")
        yield from lines


def _computed() -> float:
    """Return the seconds that this process and its helpers have computed, whatever else the machine does."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _peak() -> int:
    """Return the largest memory of this process since it was last cleared, or of a helper's, in MB."""
    helpers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return max(helpers, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    return max(helpers, int(status.split("VmHWM:")[1].split()[0]) // 1024)


def table(tallies: dict[str, Tally]) -> str:
    """Return the result as Markdown."""
    head = ["kind", "inputs", "read", "refused", "tracebacks", f"over {SLOW:.0f} s", "deaths"]
    rows = [[*head, "slowest, s", "peak, MB"], ["---"] * (len(head) + 2)]
    total = Tally()
    for kind, tally in sorted(tallies.items()):
        rows.append(_row(kind, tally))
        total.read, total.refused = total.read + tally.read, total.refused + tally.refused
        total.faults, total.slow = total.faults + tally.faults, total.slow + tally.slow
        total.deaths = total.deaths + tally.deaths
        total.seconds = max(total.seconds, tally.seconds)
        total.megabytes = max(total.megabytes, tally.megabytes)
    rows.append(_row("**all**", total))
    told = [*total.faults, *total.slow, *total.deaths]
    lines = ["| " + " | ".join(row) + " |" for row in rows] + [f"\n    {line}" for line in told]
    return "\n".join(lines) + "\n"


def _row(kind: str, tally: Tally) -> list[str]:
    counts = (tally.tried, tally.read, tally.refused, len(tally.faults), len(tally.slow), len(tally.deaths))
    return [kind, *(f"{count:,}" for count in counts), f"{tally.seconds:.1f}", str(tally.megabytes)]


def main() -> int:
    """Run the campaign, or one of its children; status 1 if there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--inputs", type=int, default=1 << 40, help="stop after so many")
    parser.add_argument("--start", type=int, default=0, help="number of the first input")
    parser.add_argument("--report", type=Path, help="file for the table")
    parser.add_argument("--only", type=int, help="try one input in this process, without a net")
    parser.add_argument("--child", type=int, nargs=2)
    asked = parser.parse_args()
    if asked.child or asked.only is not None:
        child(iter(range(*asked.child) if asked.child else [asked.only]))
        return 0
    tallies = campaign(60 * asked.minutes, asked.start, asked.inputs)
    text = table(tallies)
    print(text)
    if asked.report:
        asked.report.write_text(text, encoding="utf-8")
    return int(any(tally.faults or tally.slow or tally.deaths for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())

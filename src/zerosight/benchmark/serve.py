"""The server under load, beside the plain library: many clients at once, each of which checks its answers.

The server is the real one, in a process of its own on loopback. Clients send one image after the other over a
connection that stays open, come back when they are told that the queue is full, and compare every score with
the library's. The library works through the same files before and after the load, so that a drift of the
machine shows.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import zerosight
from zerosight.errors import ProcessError
from zerosight.guarded.json import parse_json
from zerosight.predict.anomalies import Predictor
from zerosight.types import Prediction

TOLERANCE = 2e-5
"""How far a score may lie from the library's: batches of other sizes round otherwise."""

_START_SECONDS = 300.0
_ADDRESS = re.compile(r"serving at http://([\d.]+):(\d+)")


@dataclass(slots=True)
class Tally:
    """What clients saw.

    Attributes:
        seconds: Of every answered request, waiting in the queue included.
        wrong: Answers whose score is not the library's.
        refused: Answers 429; the image was sent again.
        failed: Other errors that the server told.
        lost: Requests that were never answered.
    """

    seconds: list[float] = field(default_factory=list)
    wrong: int = 0
    refused: int = 0
    failed: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class ServeRow:
    """The server beside the library.

    Attributes:
        images: Answered under load.
        rate: Of them per second.
        library_rate: The library's over the same files, before and after the load.
        share: Of the library's rate that the server reaches.
        p50_ms: Median time from request to answer under load; p95_ms likewise.
        single_ms: Median time of a lone client.
        library_single_ms: The library's over one file.
        memory_mb: Resident memory of the server's processes a quarter into the load, and at its end.
    """

    model: str
    clients: int
    images: int
    wrong: int
    refused: int
    failed: int
    lost: int
    rate: float
    library_rate: tuple[float, float]
    share: float
    p50_ms: float
    p95_ms: float
    single_ms: float
    library_single_ms: float
    memory_mb: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain JSON values."""
        return asdict(self)


def benchmark_serve(
    model: str = "vip2clip-lite",
    clients: int = 200,
    seconds: float = 60.0,
    count: int = 32,
    tell: Callable[[str], None] = lambda _: None,
) -> ServeRow:
    """Return the server's figures beside the library's.

    Args:
        model: A model of anomalies.
        clients: At once.
        seconds: Of load.
        count: Different images.
        tell: Told what is measured.

    Raises:
        ProcessError: The server does not start.
        WeightsError: There is no such model.
    """
    predictor = zerosight.load(model)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = draw(folder, count)
        expected = [p.score for p in predictor.predict(files) if isinstance(p, Prediction)]
        bodies = [_request(file) for file in files]
        with running(model, folder, queue=max(256, clients + clients // 4)) as (address, pid):
            tell("one client beside the library")
            single, alone = _single(address, bodies, predictor, files)
            before = library_rate(predictor, files, seconds / 4)
            tell(f"{clients} clients for {seconds:g} s")
            memory: list[float] = []
            tally, spent = asyncio.run(_load(address, bodies, expected, (clients, seconds), pid, memory))
            after = library_rate(predictor, files, seconds / 4)
    times = sorted(tally.seconds) or [float("nan")]
    rate, between = len(tally.seconds) / spent, statistics.mean((before, after))
    return ServeRow(
        model,
        clients,
        len(tally.seconds),
        tally.wrong,
        tally.refused,
        tally.failed,
        tally.lost,
        rate,
        (before, after),
        rate / between,
        1e3 * times[len(times) // 2],
        1e3 * times[min(len(times) - 1, int(0.95 * len(times)))],
        1e3 * single,
        1e3 * alone,
        (memory[0], memory[-1]) if memory else (float("nan"), float("nan")),
    )


def draw(folder: Path, count: int, size: tuple[int, int] = (640, 480)) -> list[Path]:
    """Write JPEG files of clouds, each another, and return them."""
    rng = np.random.default_rng(0)
    files = []
    for i in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        files.append(folder / f"{i:03}.jpg")
        coarse.resize(size, Image.Resampling.BICUBIC).save(files[-1], quality=90)
    return files


def library_rate(predictor: Predictor, files: Sequence[Path], seconds: float) -> float:
    """Return the images per second of the library's own loop, over at least so many seconds."""
    start, done = time.perf_counter(), 0
    endless = itertools.cycle(files)
    for _ in predictor.predict(endless):
        done += 1
        if time.perf_counter() - start >= seconds and done >= len(files):
            break
    return done / (time.perf_counter() - start)


@contextmanager
def running(model: str, folder: Path, queue: int) -> Iterator[tuple[tuple[str, int], int]]:
    """Run a server on a free port of loopback, and yield its address and its process's number.

    Args:
        model: What it serves.
        folder: Where it works.
        queue: Images that may wait.

    Raises:
        ProcessError: It does not start.
    """
    words = ["--model", model, "--port", "0", "--folder", str(folder / "server"), "--queue", str(queue)]
    words += ["--timeout", "600"]  # a slow machine answers late, and that is measured, not refused
    code = "from zerosight.cli.main import run; run()"
    command = [sys.executable, "-c", code, "serve", *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        said = []
        for line in process.stderr:
            said.append(line)
            if found := _ADDRESS.search(line):
                break
        else:
            raise ProcessError(f"the server did not start: {' '.join(''.join(said).split())[-300:]}")
        yield (found[1], int(found[2])), process.pid
    finally:
        process.terminate()
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stderr.close()


def _request(file: Path) -> bytes:
    """Return a whole request to look at one file."""
    mark = "a-border-that-no-image-has"
    head = f'--{mark}\r\nContent-Disposition: form-data; name="images"; filename="{file.name}"\r\n\r\n'
    body = head.encode() + file.read_bytes() + f"\r\n--{mark}--\r\n".encode()
    lines = (
        "POST /v1/predict HTTP/1.1",
        "Host: 127.0.0.1",
        f"Content-Type: multipart/form-data; boundary={mark}",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Client:
    """One connection, opened when it is needed.

    Args:
        address: Host and port.
    """

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> tuple[int, dict[str, str], Any]:
        """Return the status, the headers and the values of an answer.

        Raises:
            OSError: There is none.
        """
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection(*self.address)
            reader, writer = self._streams
            writer.write(request)
            await writer.drain()
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
            body = await reader.readexactly(int(headers["content-length"]))
        except (OSError, asyncio.IncompleteReadError, KeyError) as error:
            self.close()
            raise OSError(str(error)) from None
        if headers.get("connection") == "close":
            self.close()
        return int(lines[0].split()[1]), headers, parse_json(body)

    def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


async def _load(
    address: tuple[str, int],
    bodies: Sequence[bytes],
    expected: Sequence[float],
    plan: tuple[int, float],
    pid: int,
    memory: list[float],
) -> tuple[Tally, float]:
    """Return what so many clients saw in so many seconds, and how long the last answer took."""
    clients, seconds = plan
    tally, start = Tally(), time.perf_counter()

    async def remember() -> None:
        for share in (0.25, 1.0):
            await asyncio.sleep(max(0.0, start + share * seconds - time.perf_counter()))
            memory.append(resident(pid))

    tasks = [_client(Client(address), bodies, expected, (i, start + seconds), tally) for i in range(clients)]
    await asyncio.gather(remember(), *tasks)
    return tally, time.perf_counter() - start


async def _client(
    client: Client,
    bodies: Sequence[bytes],
    expected: Sequence[float],
    plan: tuple[int, float],
    tally: Tally,
) -> None:
    """Send images one after the other until the time is up, and check every answer."""
    place, until = plan
    while time.perf_counter() < until:
        place = (place + 1) % len(bodies)
        begun = time.perf_counter()
        while True:
            try:
                status, headers, values = await client.ask(bodies[place])
            except OSError:
                tally.lost += 1
                break
            if status == 429 and time.perf_counter() < until:
                tally.refused += 1
                await asyncio.sleep(float(headers["retry-after"]))
                continue
            if status == 429:
                tally.refused += 1
            elif status != 200:
                tally.failed += 1
            else:
                tally.seconds.append(time.perf_counter() - begun)
                tally.wrong += abs(values["predictions"][0]["score"] - expected[place]) > TOLERANCE
            break
    client.close()


def _single(
    address: tuple[str, int], bodies: Sequence[bytes], predictor: Predictor, files: Sequence[Path]
) -> tuple[float, float]:
    """Return the median seconds of one image by a lone client and by the library, taken in turn."""

    async def served() -> list[tuple[float, float]]:
        client, pairs = Client(address), []
        for body, file in zip(bodies, files, strict=True):
            start = time.perf_counter()
            await client.ask(body)
            middle = time.perf_counter()
            list(predictor.predict([file]))
            pairs.append((middle - start, time.perf_counter() - middle))
        client.close()
        return pairs

    pairs = asyncio.run(served())[2:]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def resident(pid: int) -> float:
    """Return the resident memory of a process and its children, 10⁶ bytes; NaN where Linux is not."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        sizes = [Path(f"/proc/{one}/statm").read_text().split()[1] for one in (str(pid), *children)]
    except (OSError, IndexError):
        return float("nan")
    return sum(map(int, sizes)) * 4096 / 1e6

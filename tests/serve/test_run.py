"""The server's beginning and end, by signals, as a service manager sees them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest

WAIT, ACCEPTING = 30.0, 0.7


@pytest.fixture
def running(start_server: Callable[..., Any], tmp_path: Path) -> Iterator[Any]:
    server = start_server(tmp_path, "mean")
    yield server
    server.kill()


def ask(port: int, name: str, content: bytes) -> HTTPConnection:
    """Send an image, and return where its answer will come."""
    head = f'--x\r\nContent-Disposition: form-data; name="images"; filename="{name}"\r\n\r\n'
    connection = HTTPConnection("127.0.0.1", port, timeout=WAIT)
    kind = {"content-type": "multipart/form-data; boundary=x"}
    connection.request("POST", "/v1/predict", head.encode() + content + b"\r\n--x--\r\n", kind)
    return connection


def status(connection: HTTPConnection) -> int:
    """Return the status of an answer, 0 where the connection ends without one."""
    try:
        return connection.getresponse().status
    except (HTTPException, ConnectionError):
        return 0
    finally:
        connection.close()


def children(pid: int) -> list[Path]:
    found = Path(f"/proc/{pid}/task/{pid}/children")
    if not found.exists():
        pytest.skip("the system does not tell whose child is whose")
    return [Path(f"/proc/{one}") for one in found.read_text().split()]


def gone(process: Path) -> bool:
    """Return whether a process has ended, even where nobody has asked for its status."""
    try:
        return process.joinpath("stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def all_gone(processes: list[Path]) -> bool:
    end = time.monotonic() + WAIT
    while not all(map(gone, processes)) and time.monotonic() < end:
        time.sleep(0.05)
    return all(map(gone, processes))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_answers_what_it_has_accepted_and_ends_well(
    running: Any, png: Callable[..., bytes], number: int
) -> None:
    models = children(running.process.pid)
    asked = [ask(running.port, "slow", png()) for _ in range(4)]
    time.sleep(ACCEPTING)
    assert running.stop(number) == 0
    assert [status(one) for one in asked] == [200] * 4
    assert models
    assert all_gone(models)


def test_a_taken_port_is_one_line_and_a_second_signal_waits_for_nobody(
    running: Any, png: Callable[..., bytes], tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    script = str(Path(__file__).parent / "serve_fake.py")
    command = [sys.executable, script, str(tmp_path / "other"), str(running.port), "mean"]
    other = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert other.returncode == 1
    assert other.stderr.splitlines()[-1].endswith("cannot be listened on; choose another --port")
    models = children(running.process.pid)
    asked = ask(running.port, "hang", png())
    time.sleep(ACCEPTING)
    running.process.send_signal(signal.SIGTERM)
    time.sleep(ACCEPTING)
    assert running.stop(signal.SIGTERM) == 0
    assert status(asked) in (0, 500, 503)
    assert all_gone(models)


def test_killed_it_leaves_no_process_even_where_the_model_hangs(
    running: Any, png: Callable[..., bytes]
) -> None:
    models = children(running.process.pid)
    asked = ask(running.port, "hang", png())
    time.sleep(ACCEPTING)
    running.kill()
    assert status(asked) == 0
    assert models
    assert all_gone(models)

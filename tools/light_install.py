"""Check an environment that has the light install: small, without PyTorch, and able to run exported models.

Run from the development environment, which exports the model: python tools/light_install.py PYTHON
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
from PIL import Image

LIMIT = 400  # MB of 10^6 bytes, without pip and setuptools


def main(python: Path) -> None:
    """Stop with an error at the first thing that is not as it should be."""
    [site] = (python.parents[1] / "lib").glob("python*/site-packages")
    assert not (site / "torch").exists(), "torch is there"
    own = [path for path in site.iterdir() if not path.name.startswith(("pip", "setuptools"))]
    files = [file for path in own for file in ([path] if path.is_file() else path.rglob("*"))]
    size = sum(file.stat().st_size for file in files if file.is_file()) / 1e6
    assert size < LIMIT, f"{size:.0f} MB, at most {LIMIT} are allowed"
    assert (site / "zerosight" / "py.typed").is_file()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        photos(work / "photos")
        graph = export(work)
        command = python.with_name("zerosight")
        told = run(work, command, "predict", "photos", "--model", graph, "--out", "results", "--json")
        assert len(told.splitlines()) == 3, told
        assert (work / "results" / "report.html").is_file()
        run(work, command, "calibrate", "photos", "--model", graph, "--out", "mine.onnx")
        again = [
            json.loads(line)
            for line in run(work, command, "predict", "photos", "--model", "mine.onnx", "--json").splitlines()
        ]
        assert not any(one["is_anomalous"] for one in again), again
        said = run(work, python, "-m", "zerosight", "--version")
        assert said.startswith("zerosight "), said
        serve(work, command, graph)
    print(f"light install: {size:.0f} MB without PyTorch; predicted, calibrated and served")


def photos(folder: Path) -> None:
    """Write three pictures."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(3):
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(folder / f"{i}.png")


def export(work: Path) -> Path:
    """Return a miniature as a graph."""
    from zerosight.backbones.config import BackboneConfig
    from zerosight.export import ExportConfig, export_model
    from zerosight.models.vip2clip.card import Vip2ClipCard
    from zerosight.models.vip2clip.folder import save_model
    from zerosight.models.vip2clip.scorer import tiny_scorer

    card = Vip2ClipCard(name="tiny", backbone=BackboneConfig(kind="tiny"))
    save_model(tiny_scorer().model, card, work / "tiny")
    export_model(ExportConfig(model=str(work / "tiny"), out=work / "tiny.onnx"))
    return work / "tiny.onnx"


def run(work: Path, *command: object) -> str:
    """Return what a command prints; outside the repository, so that only what is installed counts."""
    done = subprocess.run([*map(str, command)], cwd=work, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stderr[-2000:]}"
    return done.stdout


def serve(work: Path, command: Path, graph: Path) -> None:
    """Ask a server about a picture."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [str(command), "serve", "--model", str(graph), "--port", str(port)]
    with (work / "server.log").open("wb") as log:
        server = subprocess.Popen(words, cwd=work, stdout=log, stderr=log)
        try:
            until = time.monotonic() + 90
            while True:
                try:
                    address = f"http://127.0.0.1:{port}/v2/health/ready"
                    with urllib.request.urlopen(address, timeout=5) as answer:
                        assert answer.status == 200
                    return
                except OSError:
                    said = (work / "server.log").read_text()[-2000:]
                    assert server.poll() is None, said
                    assert time.monotonic() < until, said
                    time.sleep(0.5)
        finally:
            server.terminate()
            server.wait(30)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

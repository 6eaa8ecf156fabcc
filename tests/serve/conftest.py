from __future__ import annotations

import io
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from zerosight.serve.app import create_server
from zerosight.serve.pool import model_command
from zerosight.serve.settings import Batching, Limits, ServeSettings
from zerosight.serve.shelf import Command

HERE = Path(__file__).parent
SERVE, FAKE = HERE / "serve_fake.py", HERE / "fake_model.py"
LOADING = 90.0
MakeSettings = Callable[..., ServeSettings]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long ones out where no -m asks for them."""
    if config.getoption("-m"):
        return
    for item in items:
        if not item.path.is_relative_to(HERE):
            continue
        if item.get_closest_marker("browser") or item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="long; run by make test-serve"))


def fake_command(model: str, settings: ServeSettings) -> list[str]:
    return [sys.executable, str(FAKE), *model_command(model, settings)[4:]]


def settings_in(folder: Path, **changes: object) -> ServeSettings:
    values: dict[str, object] = {
        "models": ("mean",),
        "folder": folder,
        "names": ("testserver",),
        "limits": Limits(body=1 << 20, pixels=100_000, files=8, seconds=20, queue=16, loading=LOADING),
        "batching": Batching(size=4, wait=0.02),
    }
    return ServeSettings.parse(values | changes)


@pytest.fixture(scope="session")
def command() -> Command:
    """Return what starts a model's process without a model."""
    return fake_command


@pytest.fixture(scope="session")
def settings_of() -> MakeSettings:
    """Return a function that gives the settings of a small server in a folder."""
    return settings_in


@pytest.fixture
def make_settings(tmp_path: Path) -> MakeSettings:
    """Return a function that gives a small server's settings."""
    return lambda **changes: settings_in(tmp_path, **changes)


@pytest.fixture(scope="session")
def png() -> Callable[..., bytes]:
    """Return a function that gives a grey image with a white corner."""

    def make(value: int = 100, size: tuple[int, int] = (40, 30)) -> bytes:
        pixels = np.full((size[1], size[0], 3), value, np.uint8)
        pixels[:6, :8] = 255
        content = io.BytesIO()
        Image.fromarray(pixels).save(content, "PNG")
        return content.getvalue()

    return make


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Return a client of a server whose model is a mean."""
    settings = settings_in(tmp_path_factory.mktemp("serve"))
    with TestClient(create_server(settings, fake_command).app, raise_server_exceptions=False) as client:
        yield client


def save_tiny(folder: Path) -> None:
    """Write the folder of a small model."""
    import torch

    from zerosight.backbones.config import BackboneConfig
    from zerosight.backbones.tiny import tiny_encoder
    from zerosight.models.card import Thresholds
    from zerosight.models.vip2clip.card import Vip2ClipCard
    from zerosight.models.vip2clip.folder import save_model
    from zerosight.models.vip2clip.model import Vip2Clip

    torch.manual_seed(0)
    thresholds = Thresholds(image=0.5, pixel=0.5)
    card = Vip2ClipCard(name="tiny", backbone=BackboneConfig(kind="tiny"), thresholds=thresholds)
    save_model(Vip2Clip(tiny_encoder()), card, folder)


class Running:
    """A server in a process of its own, that can be killed and started again at the same port.

    It ends when this process does, and its model's process with it.
    """

    def __init__(self, folder: Path, model: str = "", *options: str) -> None:
        self.folder, self.model, self.options, self.port = folder, model, options, 0
        if not model:
            self.model = str(folder / "parts-in-general")
            save_tiny(Path(self.model))
        self.process = self.start()

    def start(self) -> subprocess.Popen[str]:
        words = [str(self.folder), str(self.port), self.model, *self.options]
        self.process = subprocess.Popen(
            [sys.executable, str(SERVE), *words], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        said, _, _ = select.select([self.process.stdout], [], [], LOADING)
        self.url = self.process.stdout.readline().strip() if said else ""
        if not self.url:
            self.stop(signal.SIGKILL)
            raise TimeoutError("the server does not start")
        self.port = int(self.url.rsplit(":", 1)[1])
        return self.process

    def stop(self, number: int) -> int:
        """Send a signal and return the status with which the server ended."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()
            self.process.wait(10)
            if self.process.stdout is not None:
                self.process.stdout.close()

    def kill(self) -> None:
        self.stop(signal.SIGKILL)


@pytest.fixture(scope="session")
def make_model() -> Callable[[Path], None]:
    """Return a function that writes the folder of a small model."""
    return save_tiny


@pytest.fixture(scope="session")
def start_server() -> Callable[..., Running]:
    """Return what starts a server in a process of its own."""
    return Running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("browser"))
    yield running
    running.kill()

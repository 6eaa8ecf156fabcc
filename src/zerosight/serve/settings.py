"""What a server is started with."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field

from zerosight.config import Config
from zerosight.errors import ConfigError

LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))


class Limits(Config):
    """How much one client may ask for, and how much may wait."""

    body: int = Field(64 << 20, ge=1, description="bytes of one request")
    pixels: int = Field(50_000_000, ge=1, description="pixels of one image")
    files: int = Field(64, ge=1, description="images of one request")
    bulk: int = Field(512 << 20, ge=1, description="bytes of one request to learn or to report")
    bulk_files: int = Field(1000, ge=1, description="images of one such request")
    seconds: float = Field(60.0, gt=0, description="to send a request, and again to answer it")
    loading: float = Field(600.0, gt=0, description="seconds that a model may take to load")
    queue: int = Field(256, ge=1, description="images that may wait for one model")
    waiting: int = Field(512 << 20, ge=1, description="bytes that may wait for one model")
    connections: int = Field(1000, ge=1, description="open at once")
    models: int = Field(8, ge=1, description="models held at once, learnt ones included")


class Batching(Config):
    """How images of many clients become batches."""

    size: int = Field(8, ge=1, description="images per batch")
    wait: float = Field(0.003, ge=0, le=1, description="seconds that an image waits for company")
    lanes: int = Field(2, ge=1, description="batches in work at once, per process")
    processes: int = Field(1, ge=1, description="processes per model")


class ServeSettings(Config):
    """Everything that ``zerosight serve`` is told."""

    models: tuple[str, ...] = ("vip2clip-lite",)
    device: str = "cpu"
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    names: tuple[str, ...] = Field((), description="further host names that the server answers to")
    token: str | None = Field(None, min_length=16, repr=False)
    insecure: bool = False
    folder: Path = Path("zerosight-serve")
    keep: bool = False
    watch: Path | None = None
    webhook: str | None = None
    webhook_secret: str = Field("", repr=False)
    limits: Limits = Limits()
    batching: Batching = Batching()
    replica: str | None = Field(
        None, description="name of this one of several servers that are one to clients; it keeps nothing"
    )

    @property
    def public(self) -> bool:
        """Whether other machines can reach the server."""
        return self.host not in LOOPBACK


def check_settings(settings: ServeSettings) -> None:
    """Refuse to stand open to the network.

    Raises:
        ConfigError: The host is not loopback, and neither a token nor ``--insecure`` is given, or no model
            is named.
    """
    if settings.public and not settings.token and not settings.insecure:
        raise ConfigError(
            f"host: {settings.host} can be reached by other machines; give --token (or the variable "
            "ZEROSIGHT_TOKEN), or --insecure to let everyone in, or --host 127.0.0.1"
        )
    if not settings.models:
        raise ConfigError("models: none is named; give at least one, such as vip2clip-lite")


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

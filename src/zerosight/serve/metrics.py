"""What the server counts about itself, in the form that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters of one server; two servers in one process share nothing.

    Args:
        replica: Name of this one of several servers behind one address, which all of its numbers then carry.
    """

    def __init__(self, replica: str | None = None) -> None:
        self.replica = replica
        self.registry = CollectorRegistry()
        to = self.registry
        self.requests = Counter("zerosight_requests", "Requests answered", ("route", "status"), registry=to)
        self.seconds = Histogram(
            "zerosight_request_seconds",
            "From a request's head to its answer",
            ("route",),
            buckets=_SECONDS,
            registry=to,
        )
        self.images = Counter("zerosight_images", "Images answered", ("model", "outcome"), registry=to)
        self.waiting = Gauge("zerosight_queue_length", "Images that wait", ("model",), registry=to)
        self.waited = Histogram(
            "zerosight_queue_seconds", "How long images waited", ("model",), buckets=_SECONDS, registry=to
        )
        self.batches = Histogram(
            "zerosight_batch_size", "Images per batch", ("model",), buckets=_SIZES, registry=to
        )
        self.model_seconds = Histogram(
            "zerosight_batch_seconds",
            "What the model's process took",
            ("model",),
            buckets=_SECONDS,
            registry=to,
        )
        self.crashes = Counter(
            "zerosight_model_crashes", "Model processes that died", ("model",), registry=to
        )
        self.refused = Counter(
            "zerosight_refused", "Requests refused for a full queue", ("model",), registry=to
        )

    def text(self) -> bytes:
        """Return all of it as Prometheus reads it."""
        return generate_latest(self if self.replica else self.registry)

    def collect(self) -> Iterator[Metric]:
        """Yield all of it with the replica's name."""
        for metric in self.registry.collect():
            own = {"replica": str(self.replica)}
            metric.samples = [one._replace(labels=one.labels | own) for one in metric.samples]
            yield metric

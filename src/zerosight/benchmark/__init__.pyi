from .memory import Cost, LiveTensors, cost, peak_memory
from .metrics import benchmark_metrics
from .timing import in_turn, median_ratio, seconds

__all__ = [
    "Cost",
    "LiveTensors",
    "benchmark_metrics",
    "cost",
    "in_turn",
    "median_ratio",
    "peak_memory",
    "seconds",
]

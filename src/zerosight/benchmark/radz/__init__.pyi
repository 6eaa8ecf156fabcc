from .counts import measure_counts
from .depth import measure_depth
from .inference import measure_speed
from .plain import plain_scores
from .run import RadzBenchmark, benchmark_radz
from .training import measure_steps
from .workloads import Sizes, Workload

__all__ = [
    "RadzBenchmark",
    "Sizes",
    "Workload",
    "benchmark_radz",
    "measure_counts",
    "measure_depth",
    "measure_speed",
    "measure_steps",
    "plain_scores",
]

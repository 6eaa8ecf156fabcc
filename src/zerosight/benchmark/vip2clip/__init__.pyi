from .efficiency import PartRow, benchmark_efficiency
from .files import benchmark_files
from .gpu import benchmark_gpu
from .inference import benchmark_inference
from .plain import plain_loss, plain_prediction
from .references import benchmark_references
from .scaling import benchmark_scaling
from .training import benchmark_training
from .workloads import WORKLOADS, Workload

__all__ = [
    "WORKLOADS",
    "PartRow",
    "Workload",
    "benchmark_efficiency",
    "benchmark_files",
    "benchmark_gpu",
    "benchmark_inference",
    "benchmark_references",
    "benchmark_scaling",
    "benchmark_training",
    "plain_loss",
    "plain_prediction",
]

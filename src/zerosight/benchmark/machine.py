"""What the figures were measured on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("torch", "onnxruntime", "openvino", "nncf")
FASTER = ("avx512f", "avx512_bf16", "avx512_vnni", "avx_vnni", "amx_bf16", "amx_int8")


def machine() -> dict[str, Any]:
    """Return processor, system, versions and threads."""
    facts: dict[str, Any] = {
        "system": platform.system(),
        "processor": _cpuinfo("model name") or platform.processor(),
        "instructions": [flag for flag in FASTER if flag in _cpuinfo("flags").split()],
        "cores": len(os.sched_getaffinity(0)) if platform.system() == "Linux" else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            facts[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    if torch.cuda.is_available():
        facts["gpu"] = torch.cuda.get_device_name()
    return facts


def _cpuinfo(key: str) -> str:
    """Return a field of the first processor, empty where the system does not tell (it is Linux that does)."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")

"""Shared set-up: shapes in annotations are checked at run time, and nothing reaches the network."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
CHECKED = (
    *("backbones", "benchmark", "calibrate", "config", "data", "demo", "evaluate", "export", "files"),
    *("finding_evaluation", "journal", "metrics", "models", "predict", "preprocess", "protocol", "reading"),
    *("recognise", "report", "runtimes", "tiling", "train", "types", "verify", "weights"),
)  # all but the command line, whose annotations are the parser's
install_import_hook([f"zerosight.{name}" for name in CHECKED], "beartype.beartype")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def realdata() -> Path:
    """Return the folder of real images, or skip the test where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the folder of real images is not here")
    return SHARED_DATA

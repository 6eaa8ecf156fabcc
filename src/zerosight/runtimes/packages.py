"""Optional packages, fetched through one door that first forbids them to report to their makers.

OpenVINO and NNCF import ``openvino_telemetry``, which keeps a client id in the home folder and asks for an
analytics host; without it they run the same. ONNX Runtime keeps a device id and a store of events from its
first import on, unless an environment variable forbids it; Ray counts uses, likewise. Nobody else imports
these packages (the linter holds it), so nothing about a run is stored outside its own folders or sent
anywhere.
"""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType

from zerosight.errors import MissingExtraError

_REPORTERS = ("openvino_telemetry",)
_FORBIDDING = {"ORT_DISABLE_TELEMETRY": "1", "NNCF_CI": "1", "RAY_USAGE_STATS_ENABLED": "0"}


def require(package: str, extra: str) -> ModuleType:
    """Return an optional package, which reports to nobody.

    Args:
        package: Its name in ``import``.
        extra: Our extra that installs it.

    Raises:
        MissingExtraError: It is not installed; the message names the command that installs it.
    """
    _forbid_reports()
    try:
        module = importlib.import_module(package)
    except ImportError:
        raise MissingExtraError(
            f"the package '{package}' is not installed; run: pip install 'zerosight[{extra}]'"
        ) from None
    if package == "onnxruntime":
        module.disable_telemetry_events()
    return module


def _forbid_reports() -> None:
    """Make the reporting package impossible to import, and set what the others read."""
    os.environ.update(_FORBIDDING)
    for name in _REPORTERS:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # importing it then fails, as if missing

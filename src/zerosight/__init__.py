"""zerosight: zero-shot visual recognition that people can really use.

>>> import zerosight
>>> predictor = zerosight.load("vip2clip-lite")

What is offered here is in ``__init__.pyi`` and imported when it is first used: ``import zerosight`` is light.
"""

import importlib
from typing import Any

import lazy_loader

__version__ = "0.1.0"
_offered, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name in ("train", "evaluate"):  # packages that are verbs, too: see zerosight.callable
        return importlib.import_module(f"zerosight.{name}")
    return _offered(name)

"""Packages that are also the verb of their name: ``zerosight.train(...)`` beside ``zerosight.train.radz``.

Python binds a package as an attribute of its parent as soon as it is imported, over any function of that
name. So the package itself is made callable, by the documented way of giving a module a class of its own.
"""

from __future__ import annotations

import sys
from pkgutil import resolve_name
from types import ModuleType
from typing import Any


def make_callable(package: str, door: str) -> None:
    """Let a package be called as a function, which is imported when it is.

    Args:
        package: Its ``__name__``; it is being imported.
        door: The function as ``module:name``.
    """

    class Verb(ModuleType):
        """A package that can be called."""

        def __call__(self, *arguments: Any, **settings: Any) -> Any:
            return resolve_name(door)(*arguments, **settings)

    sys.modules[package].__class__ = Verb

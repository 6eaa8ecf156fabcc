"""zerosight: zero-shot visual recognition that people can really use."""

from __future__ import annotations

__version__ = "0.1.0"

"""What the library measures about itself, each time beside the plain formulation of the same thing.

A folder per system, with the same rooms: ``workloads`` (which models, how often), ``plain`` (what all else is
held to), ``inference``, ``training`` and ``tables``. Machine, memory, time and pixel metrics are here.

What is offered here is in ``__init__.pyi`` and imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Ablations of ViP²-CLIP and its baselines: all on the same cached features of a frozen encoder.

What is offered here is in ``__init__.pyi`` and imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

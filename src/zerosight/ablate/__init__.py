"""Ablations: one model in many variants on the same data, what each part is worth, and what it costs.

What is here serves any system; a folder per system says what its variants are.
What is offered here is in ``__init__.pyi`` and imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

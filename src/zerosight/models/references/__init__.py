"""References: a few normal images of one's own, joined to a zero-shot model without training.

What is offered here is in ``__init__.pyi`` and imported when it is first used: the card needs no PyTorch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Training of LLaVA-RadZ: pairs of image and report in, heads, special tokens and low-rank updates out.

``gradient_cache`` takes the gradients of the whole batch in chunks, ``gather`` over any number of processes.

What is offered here is in ``__init__.pyi`` and imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

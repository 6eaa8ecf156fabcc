"""Export: one graph from pixels to score and map, held to the model it came from.

What is offered here is in ``__init__.pyi`` and imported when it is first used: an exported graph gets another
card without PyTorch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""LLaVA-RadZ: what reading decoder states costs, beside the obvious way and beside asking the model.

``counts`` is the cost of more findings, ``depth`` what stopping at the read layer saves.

What is offered here is in ``__init__.pyi`` and imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

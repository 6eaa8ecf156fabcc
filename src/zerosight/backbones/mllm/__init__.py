"""Multimodal large language models, read as encoders of images and of texts.

``model`` reads them, ``load`` finds and opens them, ``families`` knows where each keeps its parts,
``adapters`` says what of them is trained and keeps it.

What is offered here is in ``__init__.pyi`` and imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

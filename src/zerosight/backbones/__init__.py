"""Frozen towers that look and read, behind one seam.

``dual_encoder`` is the seam of ViP²-CLIP: an image tower and a text tower with one joint space. ``lite`` is
the embedded default, ``openclip`` reads any CLIP with a vision transformer, ``tiny`` is a random miniature.
``mllm`` holds the vision-language models that LLaVA-RadZ reads.

What is offered here is in ``__init__.pyi`` and imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""LLaVA-RadZ (arXiv 2503.07487): one file per named part of the paper.

Symbols here and in the paper:

    ==========================  =========================================================================
    paper                       here
    ==========================  =========================================================================
    MLLM, decoder               ``LlavaRadz.mllm``; states of its last layer but one (``model.py``)
    <ImgCls>, <TxtCls>          ``HiddenStates.cls``: k special tokens behind the image, behind the text
    global, local feature       ``Embedding.pooled``, ``Embedding.local``
    DFAT                        ``dfat.py``: alignment of images and reports, InfoNCE with τ
    DKAM, s_c                   ``dkam.py``: category loss; s_c is a row of ``Anchors.presence``
    semantic vector repository  ``anchors.py``, made of ``descriptions.py``
    total loss, λ               ``losses.py``, ``LossWeights.category``
    zero-shot score             ``scoring.py``; probabilities and thresholds in ``calibration.py``
    ==========================  =========================================================================

Departures: no code of the authors is public. What the paper leaves open is our default, named so where it is
set: separate passes of image and text, means as pooling, projection heads, equal texts left out of the
negatives, other diseases of a sample left out of its category negatives, all weights and τ.

What is offered here is in ``__init__.pyi`` and imported when it is first used: the card needs no PyTorch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

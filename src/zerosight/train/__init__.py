"""Training: manifests in, a run folder with weights, card, log and checkpoints out.

A folder per system, with the same rooms: ``config``, ``samples``, ``features`` (cached or computed),
``module`` (one step), ``validation`` (what held-out images choose) and ``run``, which joins them. What both
share is here.

The package is also a verb: ``zerosight.train("parts.jsonl", "run")``, see :mod:`zerosight.train.door`.

What is offered here is in ``__init__.pyi`` and imported when it is first used.
"""

import lazy_loader

from zerosight.callable import make_callable

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
make_callable(__name__, "zerosight.train.door:train")

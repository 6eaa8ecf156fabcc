"""Evaluation: a model's metrics on data sets, resumable, of anomalies and of findings.

:mod:`zerosight.evaluate.anomalies` and :mod:`zerosight.evaluate.findings` have the same rooms: ``config``,
``selection`` (which rows), ``run``, ``summary`` (from scores to metrics), ``result``, ``tables``, ``charts``,
``output`` and ``calibrate``. What both share is here.

The package is also a verb: ``zerosight.evaluate("folder:parts")``, see :mod:`zerosight.evaluate.door`.
"""

from zerosight.callable import make_callable
from zerosight.evaluate.output import JSON, MARKDOWN, PAGE, write_evaluation
from zerosight.journal import ResumePolicy

__all__ = ["JSON", "MARKDOWN", "PAGE", "ResumePolicy", "write_evaluation"]
make_callable(__name__, "zerosight.evaluate.door:evaluate")

"""Reports: folders of results, pages, pictures and tables for people.

:class:`ResultWriter` fills a folder as predictions come; :func:`write_report` and
:func:`write_finding_report` make its page. :class:`Table` is the form of every table that people read.

What is offered here is in ``__init__.pyi`` and imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

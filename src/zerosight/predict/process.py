"""The process that a model lives in: a fork of it inherits the model, but not the threads that compute it."""

from __future__ import annotations

import os

from zerosight.errors import ProcessError


class HomeProcess:
    """Knows in which process a model was loaded; a copy that is sent to another process is at home there.

    >>> HomeProcess().check()
    """

    def __init__(self) -> None:
        self.number = os.getpid()

    def __reduce__(self) -> tuple[type[HomeProcess], tuple[()]]:
        return HomeProcess, ()

    def check(self) -> None:
        """Refuse to compute in a fork, where PyTorch and the runtimes of graphs would wait for ever.

        Raises:
            ProcessError: This is another process.
        """
        if os.getpid() != self.number:
            raise ProcessError(
                "the model was loaded before this process was forked and cannot compute here; load it in "
                "this process, or start processes with multiprocessing.get_context('spawn')"
            )

"""Forward: things that can only be read one after another, for threads that ask for them nearly in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import RLock
from typing import Generic, TypeVar

from zerosight.data.ahead import HELD

R = TypeVar("R")
_LATE = 8  # things that are kept for who asks late


class Forward(Generic[R]):
    """Reads on as far as is asked, keeps the last few things, and begins anew for what is gone.

    Args:
        begin: Yields all things from the first on, each with a number that grows.
        size: Bytes of one; the kept ones take at most ``HELD``, or are one.

    >>> squares = Forward(lambda: ((number, number**2) for number in range(4)), lambda square: 1)
    >>> squares.get(3), squares.get(2)
    (9, 4)
    """

    def __init__(self, begin: Callable[[], Iterator[tuple[int, R]]], size: Callable[[R], int]) -> None:
        self._begin = begin
        self._size = size
        self._lock = RLock()
        self._rest: Iterator[tuple[int, R]] | None = None
        self._kept: dict[int, R] = {}
        self._gone = -1  # number of the last one that is not kept any more

    def get(self, number: int) -> R:
        """Return the first thing whose number is this one or larger.

        Raises:
            IndexError: There is none.
        """
        with self._lock:
            if self._rest is None or number <= self._gone:
                self._rest, self._gone = self._begin(), -1
                self._kept.clear()
            while True:
                found = next((at for at in self._kept if at >= number), None)
                if found is not None:
                    return self._kept[found]
                self._read_on()

    def _read_on(self) -> None:
        """Read one more thing, and forget the oldest."""
        assert self._rest is not None
        try:
            at, value = next(self._rest)
        except StopIteration:
            self._rest = iter(())
            raise IndexError from None
        except BaseException:
            self._rest = None  # it may go better next time
            raise
        self._kept[at] = value
        while len(self._kept) > _LATE or (
            len(self._kept) > 1 and sum(map(self._size, self._kept.values())) > HELD
        ):
            self._gone = next(iter(self._kept))
            del self._kept[self._gone]

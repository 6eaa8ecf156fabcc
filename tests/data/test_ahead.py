"""Reading ahead keeps the order, the bound and the errors."""

from __future__ import annotations

import threading
import time

import pytest

from zerosight.data.ahead import read_ahead


@pytest.mark.parametrize(("workers", "ahead"), [(1, 0), (4, 3), (2, 100)])
def test_results_come_in_order_from_other_threads(workers, ahead):
    def slow(number: int) -> tuple[int, str]:
        time.sleep(0.01 if number % 3 == 0 else 0)
        return number, threading.current_thread().name

    found = list(read_ahead(range(20), slow, workers, ahead))
    assert [number for number, _ in found] == list(range(20))
    assert all(name.startswith("read") for _, name in found)


def test_only_a_few_items_are_taken_before_they_are_wanted():
    taken = []

    def items():
        for number in range(100):
            taken.append(number)
            yield number

    results = read_ahead(items(), lambda number: number, workers=2, ahead=3)
    assert not taken
    assert next(results) == 0
    assert len(taken) == 4
    results.close()
    assert len(taken) == 4


def test_an_error_comes_in_its_turn():
    results = read_ahead([2, 1, 0, 5], lambda number: 10 // number, workers=2, ahead=8)
    assert [next(results), next(results)] == [5, 10]
    with pytest.raises(ZeroDivisionError):
        next(results)

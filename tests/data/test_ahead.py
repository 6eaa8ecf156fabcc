"""Reading ahead keeps the order, the bound and the errors."""

from __future__ import annotations

import threading
import time

import pytest

from zerosight.data.ahead import HELD, LARGE, Room, read_ahead


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


def test_an_error_of_the_items_comes_after_the_results_before_it():
    def items():
        yield from "ab"
        raise KeyError("c")

    results = read_ahead(items(), str.upper, workers=2, ahead=8)
    assert [next(results), next(results)] == ["A", "B"]
    with pytest.raises(KeyError, match="c"):
        next(results)


def test_an_error_of_the_function_comes_before_a_later_one_of_the_items():
    def items():
        yield 0
        raise KeyError("later")

    with pytest.raises(ZeroDivisionError):
        next(read_ahead(items(), lambda number: 10 // number, workers=2, ahead=8))


def test_results_wait_by_their_bytes():
    begun, alive = [], []

    def make(number: int) -> int:
        begun.append(number)
        return number

    results = read_ahead(range(50), make, workers=2, ahead=20, size=lambda number: HELD // 4)
    for number in results:
        time.sleep(0.002)
        alive.append(len(begun) - number)
    assert max(alive) <= 5
    assert sorted(begun) == list(range(50))


def test_one_result_of_any_size_is_handed_out():
    assert list(read_ahead("abc", str.upper, workers=2, ahead=9, size=lambda _: 10 * HELD)) == ["A", "B", "C"]


def test_an_error_has_no_bytes():
    results = read_ahead([1, 0], lambda number: 10 // number, workers=2, ahead=8, size=lambda _: 1)
    assert next(results) == 10
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_results_whose_cost_is_known_wait_for_their_turn():
    begun = []

    def make(number: int) -> int:
        begun.append(number)
        return number

    results = read_ahead(range(9), make, workers=4, ahead=8, cost=lambda number: HELD // 2 + number)
    for number in results:
        assert max(begun) == number
    assert begun == list(range(9))


def test_nothing_is_read_while_a_result_of_more_than_all_bytes_is_made():
    read = []

    def items():
        for number in range(4):
            read.append(number)
            yield number

    for number in read_ahead(items(), int, workers=2, ahead=8, cost=lambda number: HELD + 1):
        assert read == list(range(number + 1))


def test_no_more_bytes_are_taken_than_there_is_room_for():
    room, taken, most = Room(100), [], []

    def work(size: int) -> int:
        with room.share() as take:
            take(size)
            taken.append(size)
            most.append(sum(taken))
            taken.remove(size)
        return size

    sizes = [60, 40, 99, 500, 1, 100] * 5
    assert list(read_ahead(sizes, work, workers=4, ahead=30)) == sizes
    assert all(together <= 100 or together == 500 for together in most)


def test_free_memory_goes_back_to_the_system_after_large_work(monkeypatch):
    given = []
    monkeypatch.setattr("zerosight.data.ahead.give_back_free_memory", lambda: given.append(room._taken))
    room = Room()
    for size in (LARGE, LARGE + 1):
        with room.share() as take:
            take(size)
    assert given == [LARGE + 1]  # before others may take the room

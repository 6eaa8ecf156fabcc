from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from zerosight.serve.jobs import Answer, Job, ServeError
from zerosight.serve.waiting import Line


def job(name: str, group: str = "", size: int = 1) -> Job:
    return Job("predict", {"source": name}, [bytes(size)], group)


def run(story: Callable[[], Awaitable[Any]]) -> Any:
    async def limited() -> Any:
        async with asyncio.timeout(10):
            return await story()

    return asyncio.run(limited())


def names(batch: list[Any]) -> list[str]:
    return [waiting.job.options["source"] for waiting in batch]


def test_a_batch_leaves_when_it_is_full_and_the_rest_when_it_has_waited() -> None:
    async def story() -> None:
        line = Line(10, 100, batch=3, wait=0.05)
        line.join([job(c) for c in "abcd"])
        start = time.monotonic()
        assert names(await line.take()) == ["a", "b", "c"]
        assert time.monotonic() - start < 0.04
        assert names(await line.take()) == ["d"]
        assert time.monotonic() - start >= 0.04

    run(story)


def test_a_lone_job_gets_company_that_comes_in_time() -> None:
    async def story() -> None:
        line = Line(10, 100, batch=3, wait=1.0)
        taking = asyncio.create_task(line.take())
        for name in "abc":
            line.join([job(name)])
            await asyncio.sleep(0.01)
        assert names(await taking) == ["a", "b", "c"]

    run(story)


def test_groups_do_not_travel_together_and_nobody_starves() -> None:
    async def story() -> None:
        line = Line(10, 100, batch=4, wait=0.0)
        line.join([job("a", "x"), job("b", "y"), job("c", "x")])
        assert names(await line.take()) == ["a", "c"]
        assert names(await line.take()) == ["b"]

    run(story)


def test_what_was_in_a_crash_goes_first_and_alone() -> None:
    async def story() -> None:
        line = Line(2, 100, batch=4, wait=0.0)
        lost = line.join([job("a"), job("b")])
        await line.take()
        for waiting in lost:
            waiting.tries += 1
        line.join([job("c"), job("d")])
        line.rejoin(lost)
        assert [names(await line.take()) for _ in range(3)] == [["a"], ["b"], ["c", "d"]]

    run(story)


def test_a_full_line_refuses_at_once_and_all_or_none() -> None:
    async def story() -> None:
        line = Line(3, 100, batch=4, wait=0.0)
        line.join([job("a"), job("b")])
        with pytest.raises(ServeError) as refused:
            line.join([job("c"), job("d")])
        assert refused.value.status == 429
        assert len(line) == 2
        with pytest.raises(ServeError) as refused:
            line.join([job("c", size=99)])
        assert refused.value.status == 429
        with pytest.raises(ServeError) as hopeless:
            line.join([job(c) for c in "abcd"])
        assert hopeless.value.status == 413

    run(story)


def test_the_gone_make_room() -> None:
    async def story() -> None:
        line = Line(2, 100, batch=4, wait=0.0)
        gone, _ = line.join([job("a"), job("b")])
        assert line.full
        gone.answer.cancel()
        line.join([job("c")])
        assert names(await line.take()) == ["b", "c"]
        assert not line.clear()
        left = line.join([job("d")])[0]
        assert line.clear() == [left]
        left.answer.set_result(Answer())

    run(story)

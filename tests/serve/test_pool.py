"""Processes that die, hang, fail and shut down: nothing that was accepted is lost."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from zerosight.errors import WeightsError
from zerosight.serve.jobs import Job, ServeError
from zerosight.serve.metrics import Metrics
from zerosight.serve.pool import Pool
from zerosight.serve.settings import Batching, Limits

Story = Callable[[Pool, Callable[..., Job]], Awaitable[Any]]


@pytest.fixture
def play(make_settings: Any, command: Any, png: Any) -> Callable[..., Any]:
    """Return a function that plays a story on a fresh pool."""

    def start(story: Story, model: str = "mean", **changes: object) -> Any:
        settings = make_settings(**changes)

        def job(source: str = "good", patience: float = 20.0, **options: object) -> Job:
            return Job("predict", {"source": source, **options}, [png()], patience=patience)

        async def run() -> Any:
            async with asyncio.timeout(60):
                pool = Pool("mean", command(model, settings), settings, Metrics())
                try:
                    await pool.start()
                    return await story(pool, job)
                finally:
                    await pool.stop(grace=5.0)

        return asyncio.run(run())

    return start


def test_clients_share_batches_and_each_gets_its_own_answer(play: Callable[..., Any]) -> None:
    async def story(pool: Pool, job: Callable[..., Job]) -> None:
        jobs = [[job("batch")] for _ in range(4)]
        shared = await asyncio.gather(*map(pool.ask, jobs))
        assert all(answer.values == {"names": ["batch"] * 4} for [answer] in shared)
        many = await asyncio.gather(*(pool.ask([job(f"{i}")]) for i in range(9)))
        assert [answer.values["source"] for [answer] in many] == [str(i) for i in range(9)]

    play(story)


def test_a_crash_takes_only_the_image_that_causes_it(play: Callable[..., Any]) -> None:
    async def story(pool: Pool, job: Callable[..., Job]) -> None:
        first = pool.pids
        [good], [bad], [also] = await asyncio.gather(
            pool.ask([job("a")]), pool.ask([job("crash")]), pool.ask([job("b")])
        )
        assert (good.error, also.error) == (None, None)
        assert bad.status == 500
        assert "died" in str(bad.error)
        assert pool.pids != first
        [after] = await pool.ask([job("c")])
        assert after.values["source"] == "c"
        assert pool.metrics.registry.get_sample_value("zerosight_model_crashes_total", {"model": "mean"}) == 2

    play(story)


def test_a_process_killed_from_outside_is_replaced_and_its_images_are_answered(
    play: Callable[..., Any],
) -> None:
    async def story(pool: Pool, job: Callable[..., Job]) -> None:
        asked = [asyncio.create_task(pool.ask([job("slow")])) for _ in range(6)]
        await asyncio.sleep(0.3)
        os.kill(pool.pids[0], signal.SIGKILL)
        answers = await asyncio.gather(*asked)
        assert all(answer.error is None for [answer] in answers)

    play(story)


def test_a_hung_process_is_killed(play: Callable[..., Any]) -> None:
    async def story(pool: Pool, job: Callable[..., Job]) -> None:
        [answer] = await pool.ask([job("hang", patience=0.3)])
        assert answer.status == 500

    play(story)


def test_the_impatient_are_told_and_a_lane_goes_on(play: Callable[..., Any]) -> None:
    async def story(pool: Pool, job: Callable[..., Job]) -> None:
        with pytest.raises(ServeError, match=r"no answer after 0\.5 s") as late:
            await pool.ask([job("slow")])
        assert late.value.status == 504

    play(story, limits=Limits(seconds=0.5))


def test_a_failing_batch_is_tried_one_by_one_without_the_secret(play: Callable[..., Any]) -> None:
    async def story(pool: Pool, job: Callable[..., Job]) -> None:
        good, bad = await pool.ask([job("chatty"), job("raise")])
        assert good.error is None
        assert bad.status == 500
        assert "secret" not in str(bad.error)

    play(story)


def test_a_full_line_says_when_to_come_back(play: Callable[..., Any]) -> None:
    async def story(pool: Pool, job: Callable[..., Job]) -> None:
        lanes = [asyncio.create_task(pool.ask([job("slow")])) for _ in range(2)]
        await asyncio.sleep(0.2)
        waiting = [asyncio.create_task(pool.ask([job()])) for _ in range(2)]
        await asyncio.sleep(0.05)
        with pytest.raises(ServeError) as refused:
            await pool.ask([job()])
        assert refused.value.status == 429
        assert refused.value.retry_after
        assert 1 <= refused.value.retry_after <= 60
        answers = await asyncio.gather(*lanes, *waiting)
        assert all(answer.error is None for [answer] in answers)

    play(story, limits=Limits(queue=2), batching=Batching(size=1, wait=0.0))


def test_shutting_down_answers_what_was_accepted(play: Callable[..., Any]) -> None:
    async def story(pool: Pool, job: Callable[..., Job]) -> None:
        asked = [asyncio.create_task(pool.ask([job("slow")])) for _ in range(3)]
        await asyncio.sleep(0.2)
        await pool.stop(grace=10.0)
        answers = await asyncio.gather(*asked)
        assert all(answer.error is None for [answer] in answers)
        with pytest.raises(ServeError, match="shutting down"):
            await pool.ask([job()])

    play(story, batching=Batching(size=1, wait=0.0))


def test_a_model_that_cannot_be_loaded_is_one_line(play: Callable[..., Any]) -> None:
    async def story(pool: Pool, job: Callable[..., Job]) -> None:
        raise AssertionError

    with pytest.raises(WeightsError, match="its weights are damaged"):
        play(story, model="broken")

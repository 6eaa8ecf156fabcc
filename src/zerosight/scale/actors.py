"""Actors that keep something large, such as a model, and work off portions that come back in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

from zerosight.scale.cluster import ClusterError, Plan, reason_of

WAITING = 2
"""Portions of each actor that are under way."""
_RETRIES = 3


def worked_off(
    ray: ModuleType, plan: Plan, actor: tuple[type, tuple[Any, ...]], portions: Iterable[Any], rest: str
) -> Iterator[tuple[Any, Any]]:
    """Yield portions with what became of them; lost actors are begun again, and their work with them.

    Args:
        ray: The connected package.
        plan: How many actors, and what each takes.
        actor: Their class, with a method ``do`` for a portion, and what it is made with.
        portions: Taken as they are needed.
        rest: What is to be said, where the cluster is lost, of what came before.

    Raises:
        ClusterError: The cluster was lost.
    """
    kind, told = actor
    asked = {"num_cpus": plan.cpus, "num_gpus": plan.gpus or None, "max_restarts": _RETRIES}
    made = ray.remote(max_task_retries=_RETRIES, **asked)(kind)
    actors = [made.remote(*told) for _ in range(plan.workers)]
    free, waiting, coming = deque(actors * WAITING), deque[Any](), iter(portions)
    try:
        while True:
            while free and (portion := next(coming, None)) is not None:
                one = free.popleft()
                waiting.append((one, portion, one.do.remote(portion)))
            if not waiting:
                return
            one, portion, found = waiting.popleft()
            result = ray.get(found)
            free.append(one)
            yield portion, result
    except (ray.exceptions.RayError, ConnectionError) as error:
        raise ClusterError(f"--on: the cluster was lost ({reason_of(error)}); {rest}") from None
    finally:
        for one in actors:
            ray.kill(one)

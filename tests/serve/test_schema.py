"""The server against its own schema, by schemathesis; run by ``make test-serve``."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.filterwarnings("ignore")]


def test_every_answer_is_one_that_the_schema_knows(server: Any) -> None:
    schemathesis: Any = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    operations = [(path, method) for path in schema for method in schema[path]]
    assert len(operations) > 20
    for path, method in operations:

        @given(case=schema[path][method].as_strategy())
        @settings(
            max_examples=20,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def ask(case: Any) -> None:
            reply = case.call()
            assert reply.status_code != 500, reply.text
            described = case.operation.definition.raw["responses"]
            assert str(reply.status_code) in described or reply.status_code == 405, reply.text
            if reply.status_code >= 400:
                assert isinstance(reply.json()["error"], str)

        ask()

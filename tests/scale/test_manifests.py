"""KubeRay's manifests in the documents: they are YAML, and what they start is there."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

pytest.importorskip("prometheus_client")
SCALE = Path(__file__).parents[2] / "docs" / "scale.md"


def manifests() -> dict[str, Any]:
    found = re.findall(r"```yaml\n(.*?)```", SCALE.read_text(encoding="utf-8"), re.DOTALL)
    return {one["kind"]: one for one in map(yaml.safe_load, found)}


def test_the_service_is_an_application_of_ours(monkeypatch):
    found = manifests()
    assert set(found) == {"RayCluster", "RayService"}
    config = yaml.safe_load(found["RayService"]["spec"]["serveConfigV2"])
    [application] = config["applications"]
    made: list[Any] = []

    def deployment(**options: Any) -> Any:
        made.append(options)
        return lambda replica: SimpleNamespace(bind=lambda *told: made.append(told))

    serve: Any = ModuleType("ray.serve")
    serve.deployment, serve.ingress = deployment, lambda: lambda replica: replica
    monkeypatch.setattr("zerosight.scale.deploy.require", lambda package, extra: serve)
    monkeypatch.setenv("ZEROSIGHT_TOKEN", "0123456789abcdef")
    module, _, name = application["import_path"].partition(":")
    getattr(importlib.import_module(module), name)(application["args"])
    options, (settings, known) = made
    assert [one["name"] for one in application["deployments"]] == [options["name"]]
    assert (settings.host, settings.models, settings.token, known) == (
        "0.0.0.0",
        ("vip2clip-lite",),
        "0123456789abcdef",
        {},
    )

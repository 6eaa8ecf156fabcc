"""Every package says what it is and shows its public face."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow  # imports everything
SYSTEMS = ("vip2clip", "radz")
FACED = (
    *(
        "ablate",
        "backbones",
        "backbones.mllm",
        "benchmark",
        "models.baselines",
        "train",
        "verify",
    ),
    *(f"{room}.{system}" for room in ("ablate", "benchmark", "train") for system in SYSTEMS),
)


@pytest.mark.parametrize("name", FACED)
def test_a_package_says_what_it_is_and_every_public_name_is_there(name):
    package = importlib.import_module(f"zerosight.{name}")
    assert len((package.__doc__ or "").split()) > 8
    assert package.__all__
    for public in package.__all__:
        assert getattr(package, public) is not None


def test_both_systems_have_the_same_rooms():
    rooms = {
        "train": {"config", "samples", "features", "module", "validation", "run"},
        "benchmark": {"workloads", "plain", "inference", "training", "tables"},
    }
    for room, wanted in rooms.items():
        for system in SYSTEMS:
            package = importlib.import_module(f"zerosight.{room}.{system}")
            assert wanted <= {module.name for module in pkgutil.iter_modules(package.__path__)}


def test_the_package_itself_is_light():
    code = (
        "import sys, time; begun = time.process_time(); import zerosight; "
        "print(time.process_time() - begun, *{'numpy', 'torch', 'pydantic', 'PIL'} & {*sys.modules})"
    )
    told = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in "123"
    ]
    seconds, *heavy = min(one.stdout.split() for one in told)
    assert not heavy
    assert float(seconds) < 0.3

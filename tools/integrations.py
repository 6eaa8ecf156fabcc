"""Test zerosight inside other tools, and as it is installed: each in an environment of its own.

Environments lie in .venvs/. Those of tools are kept and stand over the development environment, so that
PyTorch is not installed twice. The others are fresh and hold the wheel: the light one nothing else, those of
extras links to what the package itself needs. A package that the registry does not give is one line, and its
tests are left out.

    python tools/integrations.py [anomalib | labels | dicomweb | fiftyone | wheel | light | types | extras]

Without a name: all but extras, which take a quarter of an hour (`make test-extras`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from functools import cache
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".venvs"
TOOLS = {
    "anomalib": (("anomalib>=2.5",), "tests/integrations/test_anomalib.py"),
    "labels": (("supervision>=0.25", "label-studio-sdk>=2"), "tests/integrations/test_label_tools.py"),
    "dicomweb": (("dicomweb-client>=0.60",), "tests/integrations/test_dicomweb.py"),
    "fiftyone": (("fiftyone>=1.5",), "tests/integrations/test_fiftyone.py"),
}
EXTRAS = ("base", "onnx", "openvino", "int8", "dicom", "serve", "notebook", "xray", "quantised", "ray")
INSTALL_LIMIT, TEST_LIMIT = 480, 420  # seconds
CLEAN = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
CONSTRAINTS = ("-c", str(ROOT / "constraints.txt"))
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1")


def main(names: list[str]) -> int:
    """Run the named tests, or without a name all but extras; return the exit status."""
    failed = []
    wanted = names or [*TOOLS, "wheel", "light", "types"]
    for name in [one for group in wanted for one in (EXTRAS if group == "extras" else (group,))]:
        if name in TOOLS:
            passed = test_tool(name, *TOOLS[name])
        else:
            passed = ALONE[name]() if name in ALONE else test_extra(name)
        failed += [] if passed else [name]
    if failed:
        print(f"integrations: failed: {', '.join(failed)}")
    return bool(failed)


def test_tool(name: str, packages: tuple[str, ...], tests: str) -> bool:
    """Return whether the tests of a tool pass, or cannot be run here."""
    python = environment(name, over=True)
    if not installed(python, name, (*PIP, *CONSTRAINTS, *packages)):
        return True
    # its own imports warn of all manner of things
    return run(python, "-W", "ignore", "-m", "pytest", "-W", "ignore", "-rs", str(ROOT / tests)) == 0


def test_wheel() -> bool:
    """Return whether sdist and wheel hold what they should, and nothing else."""
    return built() is not None and not run(Path(sys.executable), "tools/check_wheel.py", str(HOME / "dist"))


@cache
def built() -> Path | None:
    """Return the wheel, built from the sdist, or None where it cannot be built."""
    python = environment("packaging", over=True)
    if not installed(python, "packaging", (*PIP, *CONSTRAINTS, "build", "twine")):
        return None
    shutil.rmtree(HOME / "dist", ignore_errors=True)
    shutil.rmtree(ROOT / "build", ignore_errors=True)
    if run(python, "-m", "build", "--no-isolation", "--outdir", str(HOME / "dist"), str(ROOT), quiet=True):
        print("integrations: the wheel cannot be built")
        return None
    [wheel] = (HOME / "dist").glob("*.whl")
    files = [str(file) for file in (HOME / "dist").iterdir()]
    return None if run(python, "-m", "twine", "check", "--strict", *files, quiet=True) else wheel


def test_light() -> bool:
    """Return whether the wheel predicts, calibrates and serves without PyTorch."""
    wheel = built()
    if wheel is None:
        return False
    listed = (ROOT / "light.txt").read_text().splitlines()
    names = [line for line in listed if line and not line.startswith("#") and line != "zerosight"]
    shutil.rmtree(HOME / "light", ignore_errors=True)
    python = environment("light", over=False)
    if not installed(python, "light", (*PIP, "--no-deps", *CONSTRAINTS, str(wheel), *names)):
        return True
    return run(Path(sys.executable), "tools/light_install.py", str(python)) == 0


def test_types() -> bool:
    """Return whether a user's program type-checks strictly against the wheel of the light install."""
    python = HOME / "light" / "bin" / "python"
    if not list((HOME / "light").glob("lib/python*/site-packages/zerosight/py.typed")):
        print("integrations: types: skipped, the light install is not there; name light before types")
        return True
    how = ("-m", "mypy", "--strict", "--config-file", os.devnull, "--python-executable", str(python))
    return not run(Path(sys.executable), *how, "tests/integrations/typed_script.py")


def test_extra(extra: str) -> bool:
    """Return whether an extra works where nothing but the package and the extra is installed."""
    wheel = built()
    if wheel is None:
        return False
    folder = HOME / f"extra-{extra}"
    shutil.rmtree(folder, ignore_errors=True)
    python = environment(folder.name, over=False)
    [site] = (folder / "lib").glob("python*/site-packages")
    (site / "_base.pth").write_text(f"{linked()}\n")
    wanted = f"{wheel}[{extra}]" if extra != "base" else str(wheel)
    if not installed(python, extra, (*PIP, *CONSTRAINTS, wanted)):
        return True
    passed = not run(python, "tools/extras.py", extra)
    shutil.rmtree(folder, ignore_errors=True)
    return passed


@cache
def linked() -> Path:
    """Return a folder with links to what the package needs without any extra, and to nothing else."""
    folder = HOME / "base"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    for found in closure(needs):
        for top in {
            file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")
        }:
            source, link = Path(str(found.locate_file(top))), folder / top
            if source.exists() and not link.is_symlink():
                link.symlink_to(source)
    return folder


def closure(needs: list[str]) -> list[Distribution]:
    """Return the installed packages that these requirements lead to."""
    seen: dict[tuple[str, str], Distribution] = {}
    waiting = [Requirement(need) for need in needs]
    while waiting:
        need = waiting.pop()
        for extra in ("", *need.extras):
            if (need.name, extra) in seen:
                continue
            found = seen[need.name, extra] = distribution(need.name)
            below = [Requirement(text) for text in found.requires or ()]
            waiting += [one for one in below if not one.marker or one.marker.evaluate({"extra": extra})]
    return list(seen.values())


def environment(name: str, over: bool) -> Path:
    """Return the interpreter of an environment, made if it is not there.

    Args:
        name: Its folder.
        over: Whether it sees the packages of this one.
    """
    folder = HOME / name
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=not over)
        if over:
            [site] = (folder / "lib").glob("python*/site-packages")
            paths = (
                sysconfig.get_paths()["purelib"],
                str(ROOT / "src"),
            )  # whose own .pth files count for nothing
            (site / "_development.pth").write_text("".join(f"{path}\n" for path in paths))
    return python


def installed(python: Path, name: str, command: tuple[str, ...]) -> bool:
    """Return whether packages could be installed, and say so in a line where they could not."""
    try:
        done = subprocess.run(
            [python, *command], capture_output=True, text=True, env=CLEAN, timeout=INSTALL_LIMIT
        )
    except subprocess.TimeoutExpired:
        print(f"integrations: {name}: skipped, the registry took longer than {INSTALL_LIMIT} s")
        return False
    if done.returncode:
        reason = ([line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["no reason"])[0]
        print(f"integrations: {name}: skipped, its packages cannot be had ({reason[:160]})")
    return done.returncode == 0


def run(python: Path, *command: str, quiet: bool = False) -> int:
    """Return the exit status of a command, 1 if it takes too long."""
    how: dict[str, Any] = (
        {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True} if quiet else {}
    )
    try:
        done = subprocess.run([python, *command], cwd=ROOT, env=CLEAN, timeout=TEST_LIMIT, **how)
        if quiet and done.returncode:
            print(done.stdout[-2000:])
        return done.returncode
    except subprocess.TimeoutExpired:
        print(f"integrations: {' '.join(command)}: took longer than {TEST_LIMIT} s")
        return 1


ALONE = {"wheel": test_wheel, "light": test_light, "types": test_types}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

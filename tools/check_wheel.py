"""Check a folder with a wheel and an sdist: every file of the package and nothing else.

python tools/check_wheel.py DIST
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOP = {"LICENSE", "MANIFEST.in", "PKG-INFO", "README.md", "pyproject.toml", "setup.cfg"}
INSTALLED = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt", "licenses/LICENSE"}


def main(dist: Path) -> None:
    """Stop with an error at the first difference."""
    [wheel], [sdist] = dist.glob("*.whl"), dist.glob("*.tar.gz")
    package = tracked("src/zerosight")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        about = {name for name in names if ".dist-info/" in name}
        [metadata] = [archive.read(name).decode() for name in about if name.endswith("METADATA")]
    same(names - about, {name.removeprefix("src/") for name in package}, wheel)
    same({name.split(".dist-info/")[1] for name in about}, INSTALLED, wheel)
    assert "License-Expression: Apache-2.0\n" in metadata, metadata[:800]
    with tarfile.open(sdist) as archive:
        inside = {member.name.partition("/")[2] for member in archive if member.isfile()}
    same({name for name in inside if ".egg-info/" not in name}, package | TOP, sdist)
    size = wheel.stat().st_size / 1e6
    print(f"wheel: {len(names)} files, {size:.1f} MB, all of the package and nothing else; so the sdist")


def tracked(folder: str) -> set[str]:
    """Return the files of a folder that belong to the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", folder], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(listed.stdout.split("\0")) - {""}


def same(found: set[str], wanted: set[str], where: Path) -> None:
    """Stop where two lists of files differ, and say how."""
    assert found == wanted, (
        f"{where.name}: missing {sorted(wanted - found)[:9]}, too much {sorted(found - wanted)[:9]}"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))

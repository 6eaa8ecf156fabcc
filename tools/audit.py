"""pip-audit, where the package index can be asked; a machine without a network is no fault.

What is known to be vulnerable in a package that we need is printed. It fails the check only where a newer
version mends it that our constraints keep out.
"""

from __future__ import annotations

import subprocess
import sys
import urllib.error
import urllib.request
from importlib.metadata import version

from zerosight.guarded.json import parse_json

INDEX = f"https://pypi.org/pypi/pydantic/{version('pydantic')}/json"
LONGEST = 300  # seconds


def main() -> int:
    """Return 1 if a package has a known fault that a newer one has not."""
    try:
        urllib.request.urlopen(INDEX, timeout=5).close()
    except (OSError, urllib.error.URLError) as error:
        print(f"pip-audit: left out, as the package index cannot be reached ({error})")
        return 0
    command = [sys.executable, "-m", "pip_audit", "--local", "--skip-editable", "--format=json"]
    try:
        done = subprocess.run(
            [*command, "--progress-spinner=off"], capture_output=True, text=True, timeout=LONGEST
        )
        packages = parse_json(done.stdout)["dependencies"]
    except (ValueError, KeyError, subprocess.TimeoutExpired):
        print("pip-audit: left out, as the package index did not answer")
        return 0
    mendable = 0
    for package in packages:
        for fault in package.get("vulns", ()):
            mended = ", ".join(fault["fix_versions"])
            mendable += bool(mended)
            found = f"{package['name']} {package['version']}: {fault['id']}"
            print(f"pip-audit: {found}, {'mended in ' + mended if mended else 'not mended yet'}")
    known = sum("vulns" in package for package in packages)
    print(f"pip-audit: {known} of {len(packages)} packages looked up")
    return int(mendable > 0)


if __name__ == "__main__":
    sys.exit(main())

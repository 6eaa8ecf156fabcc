"""Use an extra in an environment that has it and nothing that it should have brought but did not.

Run by the environment's own Python, outside the repository: python extras.py EXTRA. ``base`` is no extra: the
package as it is installed, and what it says of extras that are missing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image


def main(extra: str) -> None:
    """Stop with an error where the extra cannot be used."""
    import zerosight

    assert "site-packages" in zerosight.__file__, zerosight.__file__
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "photos").mkdir()
        rng = np.random.default_rng(0)
        for i in range(3):
            pixels = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(work / "photos" / f"{i}.png")
        CHECKS[extra](work)


def base(work: Path) -> None:
    """Predict with the shipped model; what is missing is one line that names the extra."""
    run(work, "predict", "photos", "--out", "results")
    assert (work / "results" / "report.html").is_file()
    for words, extra in (
        (("export", "--out", "m.onnx"), "onnx"),
        (("export", "--format", "openvino", "--out", "m.xml"), "openvino"),
        (("serve",), "serve"),
    ):
        said = run(work, *words, status=1)
        assert f"pip install 'zerosight[{extra}]'" in said, said
        assert "Traceback" not in said, said


def onnx(work: Path) -> None:
    """Export a miniature and predict with the file."""
    run(work, "export", "--model", tiny(work), "--out", "m.onnx")
    run(work, "predict", "photos", "--model", "m.onnx", "--json")


def openvino(work: Path) -> None:
    """The same in OpenVINO's format."""
    run(work, "export", "--model", tiny(work), "--format", "openvino", "--out", "m.xml")
    run(work, "predict", "photos", "--model", "m.xml", "--json")


def int8(work: Path) -> None:
    """Quantise the shipped model and predict with it."""
    run(work, "export", "--precision", "int8", "--calibration", "photos", "--out", "m.onnx")
    run(work, "predict", "photos", "--model", "m.onnx", "--json")


def dicom(work: Path) -> None:
    """Every coding that the documents promise has a decoder."""
    from pydicom import uid
    from pydicom.pixels import get_decoder

    promised = (uid.JPEGLossless, uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEGLSNearLossless)
    for syntax in (*promised, uid.JPEG2000, uid.JPEG2000Lossless, uid.HTJ2K, uid.HTJ2KLossless):
        assert get_decoder(syntax).is_available, syntax.name


def serve(work: Path) -> None:
    """A server comes up; light_install.py lies beside this file."""
    from light_install import serve as ask

    ask(work, Path(sys.executable).with_name("zerosight"), Path(tiny(work)))


def notebook(work: Path) -> None:
    """A table and a plot."""
    import matplotlib

    matplotlib.use("agg")
    import zerosight

    found = list(zerosight.load(tiny(work)).predict(work / "photos"))
    assert len(zerosight.to_frame(found)) == 3
    found[0].plot()


def xray(work: Path) -> None:
    """The reports that the labeller is measured on are there."""
    said = run(work, "reports", "check", "--json")
    assert "pleural effusion" in said, said[:300]


def quantised(work: Path) -> None:
    """The package that packs weights into four bits can be imported."""
    import bitsandbytes

    assert bitsandbytes.nn.Linear4bit


def ray(work: Path) -> None:
    """A cluster of this machine scores images; what it serves with can be imported."""
    from zerosight.runtimes.packages import require

    require("ray.serve", "ray")
    os.environ["RAY_ADDRESS"] = "local"  # and no cluster that runs here already
    said = run(work, "predict", "photos", "--model", tiny(work), "--on", "ray", "--out", "results")
    assert "3 images scored" in said, said


def tiny(work: Path) -> str:
    """Return the folder of a miniature."""
    from zerosight.backbones.config import BackboneConfig
    from zerosight.models.vip2clip.card import Vip2ClipCard
    from zerosight.models.vip2clip.folder import save_model
    from zerosight.models.vip2clip.scorer import tiny_scorer

    save_model(
        tiny_scorer().model, Vip2ClipCard(name="tiny", backbone=BackboneConfig(kind="tiny")), work / "tiny"
    )
    return str(work / "tiny")


def run(work: Path, *words: str, status: int = 0) -> str:
    """Return what a command of ours says."""
    command = [str(Path(sys.executable).with_name("zerosight")), *words]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=200)
    said = done.stdout + done.stderr
    assert done.returncode == status, f"{' '.join(words)}: {said[-2000:]}"
    return said


CHECKS: dict[str, Callable[[Path], None]] = {
    check.__name__: check
    for check in (base, onnx, openvino, int8, dicom, serve, notebook, xray, quantised, ray)
}

if __name__ == "__main__":
    main(sys.argv[1])
    print(f"extra {sys.argv[1]}: works in a fresh environment")

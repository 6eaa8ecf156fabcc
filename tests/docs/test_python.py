"""Every block of Python in the documents runs, in the order of its page; run by ``make docs``."""

from __future__ import annotations

import ast
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blocks import Block, blocks
from PIL import Image

NOT_RUN = {
    (
        "docs/chest-xrays.md",
        "from dicomweb_client import DICOMwebClient",
    ): "needs an archive; tests/integrations asks one",
    (
        "docs/integrations.md",
        "from anomalib.data import Folder",
    ): "anomalib is in make test-integrations alone",
    ("docs/integrations.md", 'predictor = zerosight.load("hf://OWNER/NAME@v1")'): "needs the network",
    ("docs/integrations.md", "manifest = labels.import_label_studio"): "tests/integrations has such files",
    ("docs/serving.md", "import tritonclient.http as triton"): "needs a server; tests/serve asks one",
    ("docs/threads.md", "import multiprocessing"): "starts processes; tests/predict does",
}
"""Blocks that are not run, by page and a line of theirs, and why; they are compiled like all others."""

PYTHON = blocks("python")
PAGES = sorted({block.page for block in PYTHON})


def reason(block: Block) -> str | None:
    """Return why a block is not run, or None."""
    for (page, line), why in NOT_RUN.items():
        if block.page == page and line in block.text:
            return why
    return None


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a miniature as model.onnx and model.xml."""
    from zerosight.backbones.config import BackboneConfig
    from zerosight.export import ExportConfig, export_model
    from zerosight.models.vip2clip.card import Vip2ClipCard
    from zerosight.models.vip2clip.folder import save_model
    from zerosight.models.vip2clip.scorer import tiny_scorer

    folder = tmp_path_factory.mktemp("graphs")
    card = Vip2ClipCard(name="tiny", backbone=BackboneConfig(kind="tiny"))
    save_model(tiny_scorer().model, card, folder / "tiny")
    export_model(ExportConfig(model=str(folder / "tiny"), out=folder / "model.onnx"))
    pytest.importorskip("openvino")
    export_model(ExportConfig(model=str(folder / "tiny"), out=folder / "model.xml", format="openvino"))
    return folder


def furnish(folder: Path) -> None:
    """Make what the pages speak of: photographs, good parts, a labelled folder, drawn chests."""
    rng = np.random.default_rng(0)
    for name in ("good_parts/1", "good_parts/2", "photos/a", "photos/b", "a", "b", "photo", "part"):
        for suffix in (".png", ".jpg"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(90, 140, (48, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save((folder / name).with_suffix(suffix))
    for kind in ("good", "bad"):
        for i in range(2):
            (folder / "parts" / kind).mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(90, 140, (48, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "parts" / kind / f"{i}.png")
    (folder / "phantoms/images").mkdir(parents=True)
    chest = np.add.outer(np.arange(96), np.arange(80)).astype(np.uint8)
    for name in ("phantoms/images/a.png", "chest.png"):
        Image.fromarray(chest).save(folder / name)


@pytest.mark.docs
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", PAGES)
def test_every_block_runs(page: str, tmp_path, monkeypatch, graphs):
    import matplotlib

    matplotlib.use("agg")
    monkeypatch.chdir(tmp_path)
    furnish(tmp_path)
    for graph in graphs.glob("model.*"):
        (tmp_path / graph.name).write_bytes(graph.read_bytes())
    if importlib.util.find_spec("supervision") is None:  # make test-integrations has it
        monkeypatch.setattr("zerosight.integrations.labels.to_supervision", str)
    names: dict[str, Any] = {"__name__": "__docs__"}
    names["text"] = "FINDINGS: Small left pleural effusion. No pneumothorax."
    exec("import zerosight", names)
    for block in PYTHON:
        if block.page == page and reason(block) is None:
            text = block.text.replace("chest.dcm", "chest.png")
            exec(compile("\n" * block.line + text, block.page, "exec"), names)


def test_every_block_is_python_and_the_list_holds_no_more_than_there_are():
    for block in PYTHON:
        ast.parse(block.text, str(block))
    found = {reason(block) for block in PYTHON} - {None}
    assert found == set(NOT_RUN.values())


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_every_row_of_json_is_one(block: Block):
    for line in block.text.splitlines():
        json.loads(line)

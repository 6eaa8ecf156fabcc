from __future__ import annotations

import json
import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner, Result

from zerosight.cli.anchors import app
from zerosight.data.chest.names import FINDINGS
from zerosight.models.llava_radz.descriptions import DescriptionError

PNEUMOTHORAX = "No pneumothorax. Lung markings reach the chest wall on both sides."


def call(*words: object) -> Result:
    return CliRunner().invoke(app, [*map(str, words)], catch_exceptions=False)


class Model:
    """Stands for a loaded model: vectors by length of text, and one sentence about anything."""

    mllm = SimpleNamespace(
        generate=lambda prompt, seed, max_new_tokens: (
            f"The heart lies on the right, variant {'abc'[seed % 3]}."
        )
    )

    def embed_texts(self, texts: list[str]) -> SimpleNamespace:
        pooled: Tensor = torch.tensor([[len(text), 1.0, text.count("e")] for text in texts])
        return SimpleNamespace(pooled=pooled)


@pytest.fixture
def radz(monkeypatch):
    loaded = SimpleNamespace(model=Model(), key="abc", card=SimpleNamespace(trained_on=("edema",)))
    folder = ModuleType("zerosight.models.llava_radz.folder")
    folder.load_model = lambda model: loaded
    monkeypatch.setitem(sys.modules, folder.__name__, folder)
    return loaded


def test_show_prints_texts_and_sources():
    out = call("show", "Pneumothorax").output
    assert out.startswith("pneumothorax\n  + ")
    assert f"  - {PNEUMOTHORAX}" in out
    assert "source: Fleischner" in out


def test_show_all_as_json_is_a_file_of_descriptions(tmp_path):
    everything = call("show", "--json").output
    assert set(json.loads(everything)) == set(FINDINGS)
    (tmp_path / "all.json").write_text(everything)
    assert call("show", "--json", "--descriptions", tmp_path / "all.json").output == everything


def test_show_reads_descriptions_of_ones_own(tmp_path):
    (tmp_path / "mine.yaml").write_text("Scoliosis:\n  presence: [The spine is curved.]\n")
    found = call("show", "scoliosis", "--descriptions", tmp_path / "mine.yaml").output
    assert "The spine is curved." in found
    assert "source: not given" in found
    with pytest.raises(DescriptionError, match="no description of 'scoliosis'"):
        call("show", "scoliosis")


def test_build_keeps_vectors_and_says_what_they_rest_on(radz, tmp_path):
    found = json.loads(
        call("build", "--model", "m", "--labels", "Effusion, covid", "--out", tmp_path, "--json").output
    )
    assert found["names"] == ["pleural effusion", "covid-19"]
    assert found["provenance"] == "train-only"
    assert [str(path) for path in tmp_path.iterdir()] == [found["file"]]
    aware = json.loads(call("build", "--model", "m", "--labels", "edema", "--out", tmp_path, "--json").output)
    assert (aware["provenance"], aware["used_in_training"]) == ("target-aware", ["edema"])


def test_build_lets_the_model_write_what_nobody_described(radz, tmp_path):
    with pytest.raises(DescriptionError, match="--write-descriptions"):
        call("build", "--model", "m", "--labels", "dextrocardia", "--out", tmp_path)
    words = ("build", "--model", "m", "--labels", "dextrocardia", "--out", tmp_path)
    done = call(*words, "--write-descriptions")
    assert done.exit_code == 0
    [written] = (tmp_path / "written").iterdir()
    assert len(json.loads(written.read_text())["description"]["presence"]) == 3

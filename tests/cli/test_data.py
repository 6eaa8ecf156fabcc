"""The data commands on a miniature of a real layout."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosight.data.manifest import read_manifest


@pytest.fixture
def brain(tmp_path: Path) -> Path:
    """Return a miniature of BrainMRI with a duplicate."""
    for number in range(6):
        folder = tmp_path / "set" / ("yes" if number % 2 else "no")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), 40 * number, np.uint8)).save(folder / f"{number}.png")
    (tmp_path / "set" / "yes" / "7.png").write_bytes((tmp_path / "set" / "yes" / "1.png").read_bytes())
    return tmp_path / "set"


def test_list_names_every_layout(run):
    status, out, _ = run("data", "list", "--json")
    infos = {info["name"]: info for info in json.loads(out)}
    assert status == 0
    assert infos["ksdd"]["normal"] == [286, 347]
    assert infos["folder"]["normal"] is None
    assert infos["siim_pneumothorax"]["test_images"] == [2317, 12047]
    assert infos["mimic_cxr"]["reports"]
    assert len(infos) >= 17
    status, _, messages = run("data", "list")
    assert status == 0
    assert all(name in messages for name in infos)


def test_build_carries_findings_patients_and_reports(run, tmp_path):
    (tmp_path / "set").mkdir()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "set" / "a.png")
    table = "image,findings,patient,report,split\na.png,Edema,7,Wet.,train\nb.png,Mass,8,,test\n"
    (tmp_path / "set" / "labels.csv").write_text(table)
    out = tmp_path / "set.jsonl"
    status, _, messages = run("data", "build", "findings_csv", tmp_path / "set", "-o", out)
    assert status == 0
    assert "found 1 train images of 1 patients, 1 with a report" in messages
    assert "missing file: b.png" in messages
    (row,) = read_manifest(out).records()
    assert (row.labels, row.text, row.split) == ({"mass": 0, "edema": 1}, "Wet.", "train")
    status, _, _ = run("data", "build", "findings_csv", tmp_path / "set", "-o", out, "--name-patients")
    (row,) = read_manifest(out).records()
    assert (status, row.group) == (0, "7")
    assert run("data", "check", f"findings_csv:{tmp_path / 'set'}", "--strict")[0] == 0


def test_no_manifest_names_a_patient_unless_told_to(run, tmp_path):
    (tmp_path / "set").mkdir()
    lines = ["image,findings,patient"]
    for number in range(8):
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(tmp_path / "set" / f"{number}.png")
        lines.append(f"{number}.png,Edema,Doe^Jane^{number // 2}")
    (tmp_path / "set" / "labels.csv").write_text("\n".join(lines))
    built, divided, again = (tmp_path / name for name in ("set.jsonl", "divided.jsonl", "again.jsonl"))
    layout, parts = f"findings_csv:{tmp_path / 'set'}", ("train=0.5", "test=0.5")
    assert run("data", "build", "findings_csv", tmp_path / "set", "-o", built)[0] == 0
    assert run("data", "split", layout, *parts, "-o", divided)[0] == 0
    assert run("data", "split", built, *parts, "-o", again)[0] == 0
    assert divided.read_text() == again.read_text(), "divided by the same groups"
    assert "Doe" not in built.read_text() + divided.read_text()
    splits = {(record.group, record.split) for record in read_manifest(divided).records()}
    assert len(splits) == len({record.group for record in read_manifest(built).records()}) == 4
    assert run("data", "split", layout, *parts, "-o", divided, "--name-patients")[0] == 0
    assert "Doe^Jane^3" in divided.read_text()


def test_list_writes_the_pages(run, tmp_path):
    status, _, messages = run("data", "list", "--pages", tmp_path / "pages")
    assert status == 0
    assert "pages: " in messages
    assert (tmp_path / "pages" / "visa.md").read_text().startswith("# visa\n")


@pytest.mark.parametrize("name", ["report.txt", "report.json"])
def test_check_writes_a_report_and_strict_is_a_failure(run, brain, tmp_path, name):
    out = tmp_path / "reports" / name
    status, _, messages = run("data", "check", f"brain_mri:{brain}", "--out", out)
    assert status == 0
    assert "found 3 normal and 4 anomalous test images, 0 masks; expected 98 normal" in messages
    assert "duplicate: 1" in messages
    text = out.read_text()
    assert "yes/7.png" in text
    if name.endswith("json"):
        assert json.loads(text)["findings"][0]["kind"] == "duplicate"
    assert run("data", "check", f"brain_mri:{brain}", "--strict")[0] == 1


def test_check_prints_json(run, brain):
    status, out, _ = run("data", "check", f"brain_mri:{brain}", "--json")
    values = json.loads(out)
    assert status == 0
    assert (values["images"], values["normal"], values["clean"]) == (7, 3, False)
    assert values["layout"][0].startswith("found 3 normal")


def test_build_and_split_keep_duplicates_together(run, brain, tmp_path):
    manifest, divided = tmp_path / "brain.jsonl", tmp_path / "elsewhere" / "divided.jsonl"
    status, _, messages = run("data", "build", "brain_mri", brain, "-o", manifest, "--hashes")
    assert status == 0
    assert "7 images: " in messages
    status, out, _ = run("data", "split", manifest, "train=0.5", "test=0.5", "-o", divided, "--json")
    assert status == 0
    assert sum(json.loads(out)["parts"].values()) == 7
    dataset = read_manifest(divided)
    splits = {record.image: record.split for record in dataset.records()}
    assert set(splits.values()) == {"train", "test"}
    assert splits["yes/1.png"] == splits["yes/7.png"]
    assert all(dataset.resolve(name).is_file() for name in splits)
    _, _, messages = run("data", "split", f"brain_mri:{brain}", "a=0.5", "b=0.5", "-o", divided)
    assert "7 images: " in messages


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("check", "brain_mry:{brain}"), "did you mean 'brain_mri'"),
        (("build", "visa", "{brain}", "-o", "{brain}/x.jsonl"), "no visa here or in the 2 folders below"),
        (("split", "brain_mri:{brain}", "train", "-o", "{brain}/x.jsonl"), "should be NAME=SHARE"),
        (("split", "brain_mri:{brain}", "train=0.5", "-o", "{brain}/x.jsonl"), "with sum 1"),
        (("check", "{brain}/none.jsonl"), "cannot be read"),
    ],
)
def test_mistakes_are_one_line(run, brain, words, said):
    status, _, messages = run("data", *(word.format(brain=brain) for word in words))
    assert status == 1
    assert messages.startswith("error: ")
    assert said in messages
    assert messages.count("\n") == 1

"""The manifest: what is written is read back, and every bad line is named."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zerosight.data.manifest import (
    Manifest,
    ManifestHeader,
    Record,
    Skipped,
    fingerprint,
    read_manifest,
    resolve_under,
    select,
    write_manifest,
)
from zerosight.errors import DataError, OutputError

HEADER = '{"schema": 1, "name": "set", "root": "images"}'
GOOD = '{"image": "good/001.png", "label": 0}'


def _write(folder: Path, *lines: str) -> Path:
    path = folder / "set.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return path


def _message(folder: Path, row: str) -> str:
    with pytest.raises(DataError) as caught:
        list(read_manifest(_write(folder, HEADER, GOOD, row)).records())
    message = str(caught.value)
    assert message.startswith(f"{folder / 'set.jsonl'}:3: ")
    assert "\n" not in message
    return message


def test_written_manifest_is_read_back_the_same(tmp_path: Path) -> None:
    header = ManifestHeader(
        "screws", "images", "CC0-1.0", "A. Author", "https://example.org", 127, ("screw", "nut")
    )
    records = [
        Record("good/ä b.png", label=0, category="screw", split="train", hash="0" * 64),
        Record(
            "bad/2.JPG", "masks/2.png", 1, {"rust": 1, "dent": 0, "dust": None}, "a note", "nut", "test", "p7"
        ),
        Record("unknown.png", category="nut"),
    ]
    path = tmp_path / "deep" / "set.jsonl"
    assert write_manifest(path, header, records) == 3
    manifest = read_manifest(path)
    assert manifest.header == header
    assert list(manifest.records()) == records
    assert manifest.resolve("good/ä b.png") == tmp_path / "deep" / "images" / "good/ä b.png"
    assert [p.name for p in path.parent.iterdir()] == ["set.jsonl"]


def test_absolute_root_is_stored_relative_to_the_manifest(tmp_path: Path) -> None:
    path = tmp_path / "manifests" / "set.jsonl"
    write_manifest(path, ManifestHeader("set", str(tmp_path / "data")), [])
    manifest = read_manifest(path)
    assert manifest.header.root == "../data"
    assert manifest.resolve("a.png").resolve() == tmp_path.resolve() / "data" / "a.png"


def test_rows_without_optional_keys_get_the_defaults(tmp_path: Path) -> None:
    path = _write(tmp_path, HEADER, "", '{"image": "a.png"}')
    assert list(read_manifest(path).records()) == [Record("a.png", None, None, {}, None, "default", "test")]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('{"image": "a.png", "label": 1', "is not a JSON object"),
        ('{"image": "a.png", "lable": 1}', "unknown key 'lable' (did you mean 'label'?)"),
        ('{"label": 1}', "key 'image' is missing"),
        ('["a.png"]', "a row should be an object"),
        ('{"image": 3}', "image should be a string, got 3"),
        ('{"image": "a.png", "label": true}', "label should be 0 (normal), 1 (anomalous) or null, got True"),
        ('{"image": "a.png", "label": 1.0}', "label should be 0"),
        ('{"image": "a.png", "label": 2}', "got 2"),
        ('{"image": "a.png", "labels": ["rust"]}', "labels should be an object of findings"),
        ('{"image": "a.png", "labels": {"rust": "yes"}}', "labels['rust'] should be 0"),
        ('{"image": "a.png", "mask": "m.png", "label": 0}', "label 0 contradicts mask 'm.png'"),
        ('{"image": "/etc/passwd"}', "should be a path relative to the root"),
        ('{"image": "C:\\\\x.png"}', "should be a path relative to the root"),
        ('{"image": ""}', "should be a path relative to the root"),
        ('{"image": "a/../../x.png"}', "leaves the root"),
        ('{"image": "a.png", "mask": "..\\\\m.png"}', "mask '..\\\\m.png' leaves the root"),
        ('{"image": "a\\u0000.png"}', "characters that no file name can have"),
        ('{"image": "\\ud800.png"}', "characters that no file name can have"),
        ('{"image": "a.png", "hash": "abc"}', "is not a SHA-256"),
        ('{"image": "a.png", "split": ""}', "category and split should not be empty"),
        ('{"image": "a.png", "text": 5}', "text should be a string"),
        ("[" * 100_000, "is not a JSON object"),
        ('{"image": ' + "9" * 5000 + "}", "is not a JSON object"),
        ('{"image": "' + "x" * (1 << 20) + '"}', "longer than 1048576 bytes"),
        (HEADER, "a second header"),
    ],
)
def test_a_bad_row_is_named_by_file_line_and_reason(tmp_path: Path, row: str, said: str) -> None:
    assert said in _message(tmp_path, row)


def test_a_row_cut_in_the_middle_says_so(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_bytes(f'{HEADER}\n{GOOD}\n{{"image": "go'.encode())
    with pytest.raises(DataError, match=r"set\.jsonl:3: .*was the file cut\?"):
        list(read_manifest(path).records())


def test_bytes_that_are_not_text_are_named(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_bytes(HEADER.encode() + b'\n{"image": "\xff\xfe.png"}\n')
    with pytest.raises(DataError, match=r":2: is not UTF-8 text"):
        list(read_manifest(path).records())


def test_not_strict_skips_and_counts(tmp_path: Path) -> None:
    path = _write(
        tmp_path, HEADER, GOOD, "{", '{"image": "../x"}', "x" * (3 << 20), GOOD.replace("001", "002")
    )
    skipped = Skipped(keep=2)
    names = [record.image for record in read_manifest(path).records(strict=False, skipped=skipped)]
    assert names == ["good/001.png", "good/002.png"]
    assert skipped.count == 3
    assert [reason.split(": ")[0].rsplit(":")[-1] for reason in skipped.reasons] == ["3", "4"]


def test_a_category_that_the_header_does_not_list_is_refused(tmp_path: Path) -> None:
    header = '{"schema": 1, "name": "set", "root": ".", "categories": ["screw"]}'
    path = _write(tmp_path, header, '{"image": "a.png", "category": "scrw"}')
    with pytest.raises(DataError, match=r":2: category 'scrw' .*did you mean 'screw'"):
        list(read_manifest(path).records())
    with pytest.raises(DataError, match="category 'nut'"):
        write_manifest(path, read_manifest(path).header, [Record("a.png", category="nut")])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "is not a JSON object"),
        (GOOD, "the first line should be the header"),
        ('{"schema": 2, "name": "x", "root": "."}', "schema 2 is not known"),
        ('{"schema": true, "name": "x", "root": "."}', "schema True is not known"),
        ('{"schema": 1, "name": "x"}', "key 'root' is missing"),
        ('{"schema": 1, "name": "x", "root": ""}', "should not be empty"),
        ('{"schema": 1, "name": "x", "root": ".", "license": "MIT"}', "(did you mean 'licence'?)"),
        ('{"schema": 1, "name": "x", "root": ".", "mask_threshold": 300}', "is not in 0 ... 254"),
        ('{"schema": 1, "name": "x", "root": ".", "mask_threshold": "1"}', "should be a whole number"),
        ('{"schema": 1, "name": "x", "root": ".", "categories": "a"}', "should be a list of strings"),
    ],
)
def test_a_bad_header_is_named(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        read_manifest(_write(tmp_path, line))
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'set.jsonl'}:1: ")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_manifest(tmp_path / "nothing.jsonl")
    with pytest.raises(DataError, match="cannot be read"):
        read_manifest(tmp_path)


def test_writing_leaves_nothing_half_done(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    header = ManifestHeader("set", ".")
    write_manifest(path, header, [Record("old.png")])

    def rows() -> Iterator[Record]:
        yield Record("new.png")
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left on device"):
        write_manifest(path, header, rows())
    assert [record.image for record in read_manifest(path).records()] == ["old.png"]
    assert [p.name for p in tmp_path.iterdir()] == ["set.jsonl"]
    with pytest.raises(OutputError, match="not a regular file"):
        write_manifest(tmp_path, header, [])
    with pytest.raises(OutputError, match="cannot be written"):
        write_manifest(path / "below a file.jsonl", header, [])


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    header = ManifestHeader("set", ".")
    records = (Record(f"images/{i:08d}.png", label=0) for i in range(1_500))
    tracemalloc.start()
    try:
        assert write_manifest(path, header, records) == 1_500
        assert sum(1 for _ in read_manifest(path).records()) == 1_500
        assert tracemalloc.get_traced_memory()[1] < 250_000
    finally:
        tracemalloc.stop()


def test_select_takes_splits_and_categories() -> None:
    records = [Record("a", split="train", category="x"), Record("b", category="x"), Record("c", category="y")]
    assert [r.image for r in select(records, splits={"test"})] == ["b", "c"]
    assert [r.image for r in select(records, categories={"x"})] == ["a", "b"]
    assert list(select(records)) == records


def test_names_resolve_only_below_the_root(tmp_path: Path) -> None:
    assert resolve_under(tmp_path, "a b/c..d.png") == tmp_path / "a b" / "c..d.png"
    with pytest.raises(DataError, match="leaves the root"):
        resolve_under(tmp_path, "../secret")


names = st.text(min_size=1, max_size=20).filter(
    lambda s: s.isprintable() and s[0] not in "/\\" and ".." not in s
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=names, note=st.none() | st.text(max_size=30))
def test_any_name_and_text_survive_the_file(tmp_path: Path, name: str, note: str | None) -> None:
    record = Record("x" + name, text=note, category=name)
    write_manifest(tmp_path / "m.jsonl", ManifestHeader("set", "."), [record])
    assert list(read_manifest(tmp_path / "m.jsonl").records()) == [record]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    line=st.binary(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["image", "mask", "label", "labels", "x"]), inner)
        ),
        max_leaves=6,
    ).map(lambda value: json.dumps(value).encode())
)
def test_wild_rows_are_read_or_refused(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "wild.jsonl"
    path.write_bytes(HEADER.encode() + b"\n" + line)
    manifest = read_manifest(path)
    assert isinstance(manifest, Manifest)
    skipped = Skipped()
    rows = list(manifest.records(strict=False, skipped=skipped))
    assert len(rows) + skipped.count <= line.count(b"\n") + 1


def test_the_fingerprint_follows_rows_masks_and_files(tmp_path: Path) -> None:
    (tmp_path / "images" / "good").mkdir(parents=True)
    image, mask = tmp_path / "images" / "good" / "001.png", tmp_path / "images" / "m.png"
    image.write_bytes(b"image")
    mask.write_bytes(b"mask")
    row = {"image": "good/001.png", "label": 1, "mask": "m.png", "split": "train"}

    def now(splits: tuple[str, ...] | None = None, header: str = HEADER, **changed: object) -> str:
        path = _write(tmp_path, header, json.dumps(row | changed), '{"image": "b.png", "split": "val"}')
        return fingerprint(read_manifest(path), splits)

    first = now()
    assert now() == first
    others = [now(label=0, mask=None), now(mask=None), now(category="x"), now(("train",)), now(("val",))]
    others.append(now(header=HEADER[:-1] + ', "mask_threshold": 127}'))
    image.write_bytes(b"another")
    others.append(now())
    mask.write_bytes(b"another")
    others.append(now())
    assert len({first, *others}) == 1 + len(others)

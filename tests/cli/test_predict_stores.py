"""Images in a store: a real S3 server on loopback, in good times and in bad. Run by ``make test-stores``."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("s3fs")
moto = pytest.importorskip("moto.moto_server.werkzeug_app")
serving = pytest.importorskip("werkzeug.serving")

import zerosight  # noqa: E402
from zerosight.data.find import find_images  # noqa: E402
from zerosight.data.pixels import read_image  # noqa: E402
from zerosight.errors import ImageReadError, ZerosightError  # noqa: E402
from zerosight.stores import walk  # noqa: E402

SECRET = "wJalrXUtnFEMIverysecret"
pytestmark = pytest.mark.filterwarnings("default")


@dataclass
class Store:
    """An S3 server that can be told to fail."""

    system: Any
    port: int
    asked: list[str] = field(default_factory=list)
    answer: Callable[[str, int], int | None] = lambda path, count: None  # a status instead of the object's
    write: Callable[[str], int | None] = lambda method: None  # the same, of the kind of request

    def put(self, name: str, content: bytes) -> str:
        self.system.pipe_file(name, content)
        return f"s3://{name}"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Store]:
    import s3fs

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    inner = moto.DomainDispatcherApplication(moto.create_backend_app)
    found: list[Store] = []

    def app(environ: dict[str, Any], start: Any) -> Any:
        path = environ["PATH_INFO"]
        if found and path.startswith(("/photos", "/results")):
            found[0].asked.append(f"{environ['REQUEST_METHOD']} {path}?{environ.get('QUERY_STRING', '')}")
            status = found[0].answer(path, len(found[0].asked)) or found[0].write(environ["REQUEST_METHOD"])
            if status is not None:
                start(f"{status} told to", [("Content-Type", "application/xml"), ("Content-Length", "0")])
                return [b""]
        return inner(environ, start)

    server = serving.make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    for key, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "AKIDexample",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr("zerosight.stores.PAUSE", 0.01)
    urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/moto-api/reset", b"").close()
    s3fs.S3FileSystem.clear_instance_cache()
    system = s3fs.S3FileSystem(use_listings_cache=False)
    system.mkdir("photos")
    system.mkdir("results")
    found.append(Store(system, server.server_port))
    yield found[0]
    server.shutdown()
    thread.join()
    s3fs.S3FileSystem.clear_instance_cache()


def upload(store: Store, photos: Path) -> list[str]:
    return [store.put(f"photos/line/{path.name}", path.read_bytes()) for path in sorted(photos.iterdir())]


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]


def test_a_bucket_is_scored_as_a_folder_is_and_gone_on_with(run, photos, model_folder, store, tmp_path):
    names = upload(store, photos)
    words = ("predict", "s3://photos/line", "--model", model_folder, "--out", tmp_path / "out")
    status, _, messages = run(*words)
    assert (status, SECRET in messages) == (0, False)
    found = lines(tmp_path / "out")
    assert [line["source"] for line in found] == names
    local = [p.to_dict() for p in zerosight.load(model_folder).predict(sorted(photos.iterdir()))]
    kept = ("score", "regions", "width", "height", "is_anomalous")
    assert [[line[key] for key in kept] for line in found] == [[line[key] for key in kept] for line in local]
    assert len(list((tmp_path / "out" / "heatmaps").iterdir())) == len(names)
    store.put("photos/line/" + names[0].rsplit("/", 1)[1], sorted(photos.iterdir())[1].read_bytes())
    assert run(*words, "--resume")[0] == 0
    assert [line["source"] for line in lines(tmp_path / "out")] == [*names, names[0]]  # which was replaced
    for path in (tmp_path / "out").rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()


def test_a_server_that_fails_every_tenth_request_loses_nothing(run, photos, model_folder, store, tmp_path):
    content = sorted(photos.iterdir())[0].read_bytes()
    names = [store.put(f"photos/many/{i:02d}.png", content) for i in range(30)]
    store.answer = lambda path, count: 503 if count % 10 == 0 else None
    status, _, messages = run(
        "predict", "s3://photos/many/", "--model", model_folder, "--out", tmp_path / "out"
    )
    assert status == 0, messages
    assert [line["source"] for line in lines(tmp_path / "out") if "score" in line] == names


def test_a_long_list_is_streamed(store):
    for i in range(1100):
        store.put(f"photos/long/{i:04d}.png", b"x")
    store.asked.clear()
    found = find_images(["s3://photos/long"])
    assert next(found) == "s3://photos/long/0000.png"
    listings = [one for one in store.asked if "list-type=2" in one and "max-keys=1&" not in one]
    assert len(listings) <= 2  # the first page, not the second
    assert len(list(found)) == 1099  # and the first


def test_what_the_store_refuses_is_one_line(run, photos, model_folder, store, tmp_path, monkeypatch):
    names = upload(store, photos)
    with pytest.raises(ImageReadError, match=r"s3://photos/none\.png: there is no such object or bucket"):
        read_image("s3://photos/none.png")
    with pytest.raises(ZerosightError, match=r"no such object or bucket|nothing at this address"):
        list(walk("s3://nowhere-at-all/x"))
    store.answer = lambda path, count: 403 if path.endswith(names[1].rsplit("/", 1)[1]) else None
    words = ("predict", "s3://photos/line", "--model", model_folder, "--out", tmp_path / "out")
    assert run(*words)[0] == 0
    [failed] = [line for line in lines(tmp_path / "out") if "error" in line]
    assert (failed["source"], "access is denied" in failed["error"]) == (names[1], True)
    store.answer = lambda path, count: None
    assert run(*words, "--resume")[0] == 0  # mended, and the rest is kept
    assert sorted(line["source"] for line in lines(tmp_path / "out") if "score" in line) == names
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    status, _, messages = run(
        "predict", "s3://photos/line", "--model", model_folder, "--out", tmp_path / "other"
    )
    assert status == 1
    assert "the store cannot be read" in messages
    assert SECRET not in messages


def test_names_that_differ_by_case_are_two_images(run, photos, model_folder, store, tmp_path):
    content = sorted(photos.iterdir())[0].read_bytes()
    names = [store.put(f"photos/case/{name}", content) for name in ("A.png", "a.png")]
    assert run("predict", "s3://photos/case", "--model", model_folder, "--out", tmp_path / "out")[0] == 0
    found = lines(tmp_path / "out")
    assert [line["source"] for line in found] == names
    assert len({line["files"]["heatmap"].casefold() for line in found}) == 2


def objects(store: Store, below: str = "results") -> dict[str, bytes]:
    """Return what a bucket holds by name."""
    names = store.system.find(below)
    return {name.removeprefix("results/run/"): store.system.cat_file(name) for name in names}


def test_results_in_a_bucket_are_those_in_a_folder(run, photos, model_folder, store, tmp_path, monkeypatch):
    monkeypatch.setattr("zerosight.report.mirror.EVERY", 0)
    words = ("predict", photos, "--model", model_folder, "--masks", "--annotations", "coco")
    kinds = ("--parquet", "maps", "--colour-bar")
    assert run(*words, *kinds, "--out", tmp_path / "local")[0] == 0
    status, _, messages = run(*words, *kinds, "--out", "s3://results/run/")
    assert (status, "results: s3://results/run/report.html" in messages) == (0, True), messages
    local = [path for path in (tmp_path / "local").rglob("*") if path.is_file()]
    files = {path.relative_to(tmp_path / "local").as_posix(): path.read_bytes() for path in local}
    found = objects(store)
    assert sorted(found) == sorted(files)
    assert [name for name in files if found[name] != files[name] and not name.endswith("html")] == []
    assert len(found["report.html"]) == len(files["report.html"])  # with its pictures, which came back
    assert not list((tmp_path / "cache").rglob("*.*"))
    status, _, messages = run(*words, "--out", "s3://results/run")
    assert (status, "s3://results/run: holds results already; resume or overwrite" in messages) == (1, True)
    status, _, messages = run("predict", "s3://results", "--out", "s3://results/run", "--overwrite")
    assert (status, "--out: lies below s3://results" in messages) == (1, True)


def test_a_run_into_a_bucket_is_gone_on_with_from_anywhere(run, photos, model_folder, store, tmp_path):
    words = ("predict", photos, "--model", model_folder, "--parquet", "rows", "--out", "s3://results/run")
    extra = photos / "3.png"
    extra.write_bytes((photos / "0.png").read_bytes())
    assert run(*words)[0] == 0
    (photos / "4.png").write_bytes((photos / "1.png").read_bytes())
    store.system.rm_file("results/run/predictions.csv")
    status, _, messages = run(*words, "--resume")
    assert (status, "1 images scored" in messages, "5 in all" in messages) == (0, True, True), messages
    found = objects(store)
    assert found["predictions.jsonl"].count(b"\n") == found["predictions.csv"].count(b"\n") - 1 == 5
    assert sorted(name for name in found if "parquet" in name) == [
        "predictions.parquet/part-000000.parquet",
        "predictions.parquet/part-000001.parquet",
    ]
    status, _, messages = run(*words, "--resume", "--threshold", "0.9")
    assert (status, "s3://results/run: was begun with another threshold" in messages) == (1, True), messages
    assert run(*words, "--overwrite", "--no-report")[0] == 0
    assert not [name for name in objects(store) if "heatmaps" in name or "previews" in name]


def test_a_bucket_that_refuses_is_one_line_and_loses_nothing(
    run, photos, model_folder, store, tmp_path, monkeypatch
):
    words = ("predict", photos, "--model", model_folder, "--out", "s3://results/run")
    store.write = lambda method: 403 if method == "PUT" else None  # read-only
    status, _, messages = run(*words)
    assert (status, SECRET in messages) == (1, False)
    assert "access is denied" in messages
    assert "go on with --resume" in messages
    store.write = lambda method: None
    puts: list[str] = []

    def fail_late(method: str) -> int | None:
        puts.append(method)
        return 403 if puts.count("PUT") > 4 and method == "PUT" else None

    store.write = fail_late
    assert run(*words)[0] == 1
    store.write = lambda method: None
    status, _, messages = run(*words, "--resume")
    assert (status, "0 images scored" in messages, "3 in all" in messages) == (0, True, True), messages
    assert len([name for name in objects(store) if name.startswith("heatmaps/")]) == 3
    status, _, messages = run(*words[:-1], "s3://no-such-bucket/run")
    assert (status, "there is no such object or bucket" in messages) == (1, True), messages
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    s3fs.S3FileSystem.clear_instance_cache()
    status, _, messages = run(*words, "--resume")
    assert (status, "the store cannot be read" in messages, SECRET in messages) == (1, True, False)


def test_a_server_that_fails_every_tenth_request_gets_everything(run, photos, model_folder, store, tmp_path):
    store.answer = lambda path, count: 503 if count % 10 == 0 else None
    words = ("predict", photos, "--model", model_folder, "--parquet", "rows", "--out", "s3://results/run")
    status, _, messages = run(*words)
    assert status == 0, messages
    store.answer = lambda path, count: None
    assert len(objects(store)) == 3 * 3 + 4 + 1


def test_blocks_are_parts_of_a_bucket_and_only_columns_of_them_are_read_again(store, photos):
    pytest.importorskip("pyarrow")
    from zerosight.identity import stamp
    from zerosight.journal import ResumePolicy
    from zerosight.report.mirror import Mirror
    from zerosight.report.parquet import row_of, schema_of
    from zerosight.scale.blocks import BlockFolder
    from zerosight.scale.work import as_bytes
    from zerosight.types import Failure

    images, schema = sorted(photos.iterdir()), schema_of(False)
    for todo in ([2, 1], [0, 0]):
        with Mirror("s3://results/run", resume=True) as mirror:
            policy = ResumePolicy(mirror.folder, resume=True)
            with BlockFolder(policy, {"model": "m"}, 2, mirror.address) as folder:
                mirror.begin()
                blocks = list(folder.blocks(images))
                assert [len(block.todo) for block in blocks] == todo
                for block in (one for one in blocks if one.todo):
                    values = [{"source": one, "score": 0.5, "stamp": stamp(Path(one))} for one in block.todo]
                    rows = [row_of(one, Failure(one["source"], ""), schema.names) for one in values]
                    block.tables.append(as_bytes(rows, schema))
                    folder.write(block)
                folder.cut(2)
    parts = [f"predictions.parquet/part-00000{i}.parquet" for i in (0, 1)]
    assert sorted(objects(store)) == ["blocks.jsonl", *parts, "run.json"]


def test_a_data_set_in_a_bucket_is_judged_as_one_in_a_folder(run, photos, model_folder, store, tmp_path):
    import numpy as np
    from PIL import Image

    mask = np.zeros((30, 40), np.uint8)
    mask[4:9, 8:20] = 255
    Image.fromarray(mask).save(photos / "mask.png")
    rows = ['{"schema": 1, "name": "set", "root": "."}', '{"image": "1.png", "label": 0}']
    rows += [f'{{"image": "{i}.png", "mask": "mask.png", "label": 1}}' for i in (0, 2)]
    (photos / "manifest.jsonl").write_text("\n".join(rows) + "\n")
    for path in photos.iterdir():
        store.put(f"photos/set/{path.name}", path.read_bytes())
    words = ("evaluate", "--model", model_folder, "--resamples", "0", "--json", "--data")
    status, local, messages = run(*words, photos / "manifest.jsonl")
    assert status == 0, messages
    address = "s3://photos/set/manifest.jsonl"
    store.answer = lambda path, count: 503 if count % 10 == 0 else None
    out = ("--out", tmp_path / "out")
    status, stored, messages = run(*words, address, *out)
    assert status == 0, messages
    assert json.loads(stored)["datasets"] == json.loads(local)["datasets"]
    store.answer = lambda path, count: None
    status, stored, messages = run(*words, address, *out, "--resume")
    assert (status, json.loads(stored)["datasets"]) == (0, json.loads(local)["datasets"]), messages
    store.put("photos/set/0.png", (photos / "1.png").read_bytes())
    status, _, messages = run(*words, address, *out, "--resume")
    assert (status, "0.png" in messages) == (1, True), messages  # was replaced since, which is told
    good = ("calibrate", "s3://photos/set/1.png", "s3://photos/set/2.png", "--model", model_folder)
    status, _, messages = run(*good, "--out", tmp_path / "calibrated")
    assert status == 0, messages


def test_shards_in_a_bucket_are_scored_in_place_and_gone_on_with(run, photos, model_folder, store, tmp_path):
    import io
    import tarfile

    content = io.BytesIO()
    with tarfile.TarFile(fileobj=content, mode="w") as archive:
        for path in sorted(photos.iterdir()):
            archive.add(path, path.name)
    shard = store.put("photos/shards/0.tar", content.getvalue())
    store.answer = lambda path, count: 503 if count % 10 == 0 else None
    words = ("predict", "s3://photos/shards", "--model", model_folder, "--out", tmp_path / "out")
    status, _, messages = run(*words)
    assert status == 0, messages
    found = lines(tmp_path / "out")
    assert [line["source"] for line in found] == [f"{shard}#{i}.png" for i in range(3)]
    local = zerosight.load(model_folder).predict(sorted(photos.iterdir()))
    assert [line["score"] for line in found] == [p.to_dict()["score"] for p in local]
    assert [line["files"]["heatmap"] for line in found] == [f"heatmaps/0-{i}.png" for i in range(3)]
    assert "0 images scored" in run(*words, "--resume")[2]

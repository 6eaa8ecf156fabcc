"""A Ray cluster of two nodes on this machine predicts, evaluates and serves. Run by ``make test-scale``."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import numpy as np
import pytest
from PIL import Image

parquet = pytest.importorskip("pyarrow.parquet")
fsspec = pytest.importorskip("fsspec")
pytest.importorskip("ray", reason="Ray is not installed")
pytestmark = [pytest.mark.scale, pytest.mark.filterwarnings("default")]
HERE = Path(__file__).parents[1]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Nodes:
    """Two machines of one processor each; the second can be lost and given back."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self.client = free_port()
        self.small = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
        head = {"include_dashboard": False, "ray_client_server_port": self.client}
        self.cluster = Cluster(initialize_head=True, head_node_args=self.small | head)
        self.second = self.cluster.add_node(**self.small)

    def lose_second(self) -> None:
        self.cluster.remove_node(self.second, allow_graceful=False)


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    from zerosight.runtimes.packages import require

    with pytest.MonkeyPatch.context() as patch:
        source = str(Path(__file__).parents[2] / "src")
        patch.setenv("PYTHONPATH", os.pathsep.join((str(HERE), source)))
        patch.setenv("GRPC_ENABLE_FORK_SUPPORT", "0")  # as the documents advise
        require("ray", "ray")
        made = Nodes()
        patch.setenv("RAY_ADDRESS", made.cluster.address)
        yield made
        made.cluster.shutdown()


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """150 images, two of which cannot be read."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(150):
        draw(folder / f"{i:03d}.png", rng)
    (folder / "007.png").write_bytes(b"no image")
    (folder / "149.png").write_bytes(b"")
    return folder


def draw(path: Path, rng: np.random.Generator) -> None:
    Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(path)


def table(out: Path) -> Any:
    return parquet.read_table(out / "predictions.parquet")


def test_rows_are_those_of_a_local_run_and_only_what_changed_is_done_again(
    run, many, model_folder, nodes, tmp_path, monkeypatch
):
    monkeypatch.setattr("zerosight.scale.run.ROWS", 64)
    together = ("predict", many, "--model", model_folder, "--device", "cpu", "--parquet", "rows")
    words = (*together, "--batch-size", 1)  # the last bits of what is done again depend on its company
    out = tmp_path / "out"
    status, _, messages = run(*words, "--on", "ray", "--out", out)
    assert (status, "148 images scored by 2 workers, " in messages) == (0, True), messages
    parts = sorted((out / "predictions.parquet").iterdir())
    assert [parquet.read_metadata(part).num_rows for part in parts] == [64, 64, 22]
    before = [part.stat().st_mtime_ns for part in parts]

    draw(many / "100.png", np.random.default_rng(1))
    (many / "007.png").unlink()  # which moves one image from each block to the one before
    draw(many / "149.png", np.random.default_rng(2))
    (many / "150.png").write_bytes((many / "100.png").read_bytes())
    away = f"ray://127.0.0.1:{nodes.client}"
    status, _, messages = run(*words, "--on", away, "--out", out, "--resume")
    assert (status, "145 were there" in messages) == (0, True), messages
    assert run(*words, "--no-report", "--out", tmp_path / "again")[0] == 0
    assert table(out).equals(table(tmp_path / "again"))
    assert all(part.stat().st_mtime_ns > old for part, old in zip(parts, before, strict=True))

    after = [part.stat().st_mtime_ns for part in parts]
    status, _, messages = run(*words, "--on", "ray", "--out", out, "--resume")
    assert (status, "0 images scored" in messages) == (0, True), messages
    assert after == [part.stat().st_mtime_ns for part in parts]
    status, _, messages = run(*words, "--out", out, "--resume")
    assert (status, "was begun with --on" in messages) == (1, True), messages

    stored = tmp_path / "stored"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    status, _, messages = run(*together, "--on", "ray", "--out", "memory://out/run")
    assert (status, "results: memory://out/run/predictions.parquet" in messages) == (0, True), messages
    fsspec.filesystem("memory").get("/out/run", str(stored), recursive=True)
    assert run(*together, "--no-report", "--out", tmp_path / "together")[0] == 0
    assert table(stored).equals(table(tmp_path / "together"))
    assert len((stored / "blocks.jsonl").read_text().splitlines()) == 3


def test_the_benchmark_holds_ray_to_the_plain_loop(run, nodes):
    words = ("benchmark", "scale", "--model", "random:tiny", "--size", "64", "64", "--workers", "1", "--json")
    status, output, messages = run(*words, "--images", "128")
    assert status == 0, messages
    rows = json.loads(output)["scale"]
    assert [(row["way"], row["images"]) for row in rows] == [("local", 128), ("ray 1", 128)]
    assert 100 < rows[1]["loaded_mb"] <= rows[1]["model_mb"] < 2000
    assert rows[1]["driver_mb"] > 100
    assert rows[1]["table_mb"] > 0.003
    assert 0 < rows[1]["resume_seconds"] < rows[1]["first_seconds"]
    status, _, messages = run(*words, "--images", "100")
    assert (status, "--images: at least 128" in messages) == (1, True), messages


def test_an_evaluation_gives_the_same_digits(run, many, model_folder, nodes, tmp_path):
    rng = np.random.default_rng(1)
    rows = ['{"schema": 1, "name": "set", "root": "photos"}']
    for i in range(0, 30, 2):
        mask = np.zeros((30, 40), np.uint8)
        mask[rng.integers(20) :, 8:20] = 255
        Image.fromarray(mask).save(many / f"{i:03d}.mask.png")
        rows += [f'{{"image": "{i:03d}.png", "mask": "{i:03d}.mask.png", "label": 1, "category": "nut"}}']
        rows += [f'{{"image": "{i + 1:03d}.png", "label": 0, "category": "{"cap" if i > 15 else "nut"}"}}']
    (tmp_path / "set.jsonl").write_text("\n".join(rows) + "\n")
    words = (
        "evaluate",
        "--data",
        tmp_path / "set.jsonl",
        "--model",
        model_folder,
        "--device",
        "cpu",
        "--json",
    )
    words = (*words, "--batch-size", "2", "--resamples", "20")
    status, local, messages = run(*words)
    assert status == 0, messages
    status, there, messages = run(*words, "--on", "ray", "--out", tmp_path / "out")
    assert status == 0, messages
    assert json.loads(there)["datasets"] == json.loads(local)["datasets"]
    assert json.loads(there)["datasets"][0]["categories"][0]["pixel"]["aupro_exact"]["value"] is not None
    status, again, messages = run(*words, "--on", "ray", "--out", tmp_path / "out", "--resume")
    assert (status, json.loads(again)["datasets"]) == (0, json.loads(local)["datasets"]), messages
    status, _, messages = run(*words, "--on", "ray", "--normals", "1")
    assert (status, "--on" in messages) == (1, True), messages


def test_a_cache_filled_there_trains_the_same_weights(run, nodes, tmp_path):
    from toys import draw_squares

    rows = ['{"schema": 1, "name": "toy", "root": "."}']
    for i, image, mask in draw_squares(tmp_path, 20):
        row = {"image": image, "label": i % 2, "split": "val" if i > 13 else "train"}
        rows += [json.dumps(row | ({"mask": mask} if mask else {}))]
    (tmp_path / "toy.jsonl").write_text("\n".join(rows) + "\n")

    def words(name: str) -> tuple[Any, ...]:
        to = ("--out", tmp_path / name, "--cache", tmp_path / f"{name} cache")
        size = ("--backbone", "tiny", "--image-size", 32, "--epochs", 1, "--batch-size", 4)
        return ("train", "vip2clip", tmp_path / "toy.jsonl", *to, *size)

    def kept(name: str) -> dict[str, bytes]:
        cache = tmp_path / f"{name} cache"
        return {str(path.relative_to(cache)): path.read_bytes() for path in cache.rglob("*.features")}

    assert run(*words("alone"))[0] == 0
    status, _, messages = run(*words("there"), "--features-on", "ray")
    assert (status, "2 workers of the cluster" in messages) == (0, True), messages
    assert kept("there") == kept("alone")
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("alone", "there")]
    assert weights[0] == weights[1]
    status, _, messages = run(*words("none")[:-2], "--set", "augment=true", "--features-on", "ray")
    assert (status, "give --cache FOLDER" in messages) == (1, True), messages


class Client:
    """Sends images to a server, again where the replica that had one was lost."""

    def __init__(self, url: str) -> None:
        self.url, self.again = url, 0

    def predict(self, image: Path) -> dict[str, Any]:
        head = f'--x\r\nContent-Disposition: form-data; name="images"; filename="{image.name}"\r\n\r\n'
        body = head.encode() + image.read_bytes() + b"\r\n--x--\r\n"
        asked = Request(f"{self.url}/v1/predict", body, {"content-type": "multipart/form-data; boundary=x"})
        [found] = json.loads(self._open(asked))["predictions"]
        return found

    def get(self, path: str) -> str:
        return self._open(Request(self.url + path)).decode()

    def images_of_each(self, replicas: int) -> list[float]:
        """Images that each replica has answered; Ray Serve may leave one alone for ten seconds."""
        from prometheus_client.parser import text_string_to_metric_families

        counted: dict[str, float] = {}
        end = time.monotonic() + 60
        while len(counted) < replicas and time.monotonic() < end:
            for family in text_string_to_metric_families(self.get("/metrics")):
                counted |= {
                    sample.labels["replica"]: sample.value
                    for sample in family.samples
                    if sample.name == "zerosight_images_total"
                }
            time.sleep(0.1)
        return list(counted.values())

    def _open(self, asked: Request) -> bytes:
        for _ in range(5):
            try:
                with urlopen(asked, timeout=60) as answer:
                    return answer.read()
            except HTTPError as error:
                if error.code != 500:
                    raise
                self.again += 1
        raise AssertionError("five replicas were lost")


def test_replicas_answer_as_one_server_and_one_that_is_lost_takes_nothing_with_it(many, model_folder, nodes):
    from concurrent.futures import ThreadPoolExecutor

    import ray

    import zerosight
    from zerosight.scale.deploy import Replicas, deployed
    from zerosight.serve.settings import Batching, ServeSettings

    images = [path for path in sorted(many.iterdir())[:48] if path.name != "007.png"]
    found = zerosight.load(model_folder, batch_size=1).predict(images)
    expected = [one.to_dict() | {"source": path.name} for one, path in zip(found, images, strict=True)]
    settings = ServeSettings(
        models=(f"parts={model_folder}",), port=0, device="cpu", batching=Batching(size=1)
    )
    with deployed("ray", settings, Replicas(2, 2)) as (_, url), ThreadPoolExecutor(8) as pool:
        client = Client(url)
        assert list(pool.map(client.predict, images)) == expected
        assert client.again == 0
        counted = client.images_of_each(2)
        assert (sum(counted), min(counted) > 0) == (len(images), True)
        named = ray.util.list_named_actors(all_namespaces=True)
        one = next(actor["name"] for actor in named if actor["name"].startswith("SERVE_REPLICA"))
        coming = pool.map(client.predict, images)
        ray.kill(ray.get_actor(one, namespace="serve"))
        assert json.loads(client.get("/v2/health/ready")) == {"ready": True}
        assert list(coming) == expected
        assert client.again <= 8 + 1  # what was in hand
    with pytest.raises(URLError):
        urlopen(url, timeout=5)


def test_more_than_the_object_store_holds_is_done(many, nodes, tmp_path):
    from scale.deadly import WideJob

    from zerosight.data.find import find_images
    from zerosight.journal import ResumePolicy
    from zerosight.scale.blocks import BlockFolder
    from zerosight.scale.cluster import connected, facts_there, plan
    from zerosight.scale.run import Engine, run

    job = WideJob("none")  # 3 MB of input per image, 250 MB in all: more than the 200 of both machines
    images = list(find_images([many]))[:80]
    with connected("ray") as ray:
        facts = facts_there(ray, job, 0.0)
        engine = Engine(ray, job, facts, plan(ray, "cpu", None, None))
        with BlockFolder(ResumePolicy(tmp_path / "out"), facts.settings, 64) as folder:
            counts = run(engine, images, folder, 8)
    assert counts == {"scored": 79, "anomalous": 79, "failed": 1, "kept": 0}
    assert table(tmp_path / "out")["source"].to_pylist() == list(map(str, images))


def test_a_node_is_lost_and_an_image_kills_whoever_reads_it(many, model_folder, nodes, tmp_path):
    from scale.deadly import DEADLY, DeadlyJob

    import zerosight
    from zerosight.data.find import find_images
    from zerosight.journal import ResumePolicy
    from zerosight.scale.blocks import BlockFolder
    from zerosight.scale.cluster import connected, facts_there, plan
    from zerosight.scale.run import Engine, run

    Image.new("RGB", DEADLY).save(many / "077.png")
    job = DeadlyJob(str(model_folder), batch_size=1)  # whose company changes no bit
    images = list(find_images([many]))
    lost: list[int] = []

    def advance(number: int) -> None:
        if not lost:
            nodes.lose_second()
        lost.append(number)

    with connected("ray") as ray:
        facts = facts_there(ray, job, 0.0)
        engine = Engine(ray, job, facts, plan(ray, "cpu", 2, None))
        with BlockFolder(ResumePolicy(tmp_path / "out"), facts.settings, 64) as folder:
            counts = run(engine, images, folder, 4, advance)
    assert counts == {"scored": 147, "anomalous": counts["anomalous"], "failed": 3, "kept": 0}
    assert sum(lost) == 150
    rows = {row["source"]: row for row in table(tmp_path / "out").to_pylist()}
    assert list(rows) == list(map(str, images))
    assert "every worker that read it was lost" in rows[str(many / "077.png")]["error"]
    local = zerosight.load(model_folder, batch_size=1).predict(
        [one for one in images if one.name != "077.png"], on_error="skip"
    )
    for result in local:
        values, row = result.to_dict(), rows[result.source]
        assert (values.get("score"), values.get("error")) == (row["score"], row["error"])

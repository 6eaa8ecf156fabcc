"""The Open Inference Protocol: by hand, and by Triton's own client."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import uvicorn
from starlette.testclient import TestClient

from zerosight.serve.app import create_server
from zerosight.serve.jobs import ServeError
from zerosight.serve.tensors import InferAnswer, Tensor, read_request, write_answer

INFER = "/v2/models/mean/infer"


def ask(client: TestClient, **inputs: Any) -> Any:
    listed = [{"name": name, **values} for name, values in inputs.items()]
    return client.post(INFER, json={"id": "7", "inputs": listed})


def test_health_and_models(client: TestClient) -> None:
    assert client.get("/v2/health/live").status_code == 200
    assert client.get("/v2/health/ready").status_code == 200
    assert client.get("/v2").json()["name"] == "zerosight"
    model = client.get("/v2/models/mean").json()
    assert {i["name"] for i in model["inputs"]} == {"image", "pixels"}
    assert client.get("/v2/models/mean/ready").status_code == 200
    assert client.get("/v2/models/nothing").status_code == 404


def test_files_and_pixels_in_json(client: TestClient, png: Any) -> None:
    file = {"shape": [1], "datatype": "BYTES", "data": [base64.b64encode(png()).decode()]}
    answer = InferAnswer.model_validate(ask(client, image=file).json())
    assert answer.id == "7"
    score, anomalous, told = answer.outputs
    assert (score.name, score.shape, anomalous.data) == ("score", [1], [False])
    assert told.data is not None
    assert json.loads(told.data[0])["score"] == pytest.approx(score.data[0] if score.data else None, abs=1e-6)
    pixels = {"shape": [2, 4, 5, 3], "datatype": "UINT8", "data": [0] * 60 + [255] * 60}
    answer = InferAnswer.model_validate(ask(client, pixels=pixels).json())
    assert answer.outputs[0].data == [0.0, 1.0]


@pytest.mark.parametrize(
    ("inputs", "status", "words"),
    [
        ({"pixels": {"shape": [1, 2, 2, 3], "datatype": "UINT8", "data": [0] * 11}}, 400, "11 values"),
        ({"pixels": {"shape": [1, 1, 1, 3], "datatype": "UINT8", "data": [0, 0, 300]}}, 400, "no UINT8"),
        ({"pixels": {"shape": [1, 1, 1, 2], "datatype": "UINT8", "data": [0, 0]}}, 422, "is not an image"),
        ({"pixels": {"shape": [-1, 4], "datatype": "UINT8", "data": []}}, 400, "at least 0"),
        ({"pixels": {"shape": [0, 1, 1, 3], "datatype": "UINT8", "data": []}}, 400, "0 images"),
        ({"image": {"shape": [1], "datatype": "BYTES", "data": ["%"]}}, 400, "base64"),
        ({"image": {"shape": [1], "datatype": "BYTES", "data": [5]}}, 400, "are texts"),
        ({"image": {"shape": [1], "datatype": "BYTES", "data": ["QUJD"]}}, 422, "is not an image"),
        ({"image": {"shape": [1], "datatype": "FP64", "data": []}}, 400, "datatype"),
        ({"other": {"shape": [1], "datatype": "BYTES", "data": ["a"]}}, 400, "nothing unknown"),
    ],
)
def test_wrong_tensors_are_one_line(
    client: TestClient, inputs: dict[str, Any], status: int, words: str
) -> None:
    reply = ask(client, **inputs)
    assert reply.status_code == status
    assert words in reply.json()["error"]


@pytest.mark.parametrize(
    ("head", "rest", "length", "words"),
    [
        ({}, b"", None, "inputs"),
        ({"binary_data_size": 9}, b"abc", None, "does not fit"),
        ({"binary_data_size": 3}, b"abc", "here", "within a length"),
        ({"binary_data_size": 5}, b"\xff\0\0\0a", "here", "does not fit"),
        ({"binary_data_size": 5}, b"\x01\0\0\0ab", "here", "1 bytes follow"),
        ({"binary_data_size": 5}, b"\x01\0\0\0a", "999999", "no length"),
        ({"binary_data_size": 5}, b"\x01\0\0\0a", "-1", "no length"),
    ],
)
def test_binary_that_does_not_add_up_is_refused(
    head: dict[str, Any], rest: bytes, length: str | None, words: str
) -> None:
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "parameters": head}
    text = json.dumps({"inputs": [tensor]} if head else {}).encode()
    body, where = (
        (text, None) if length is None else (text + rest, str(len(text)) if length == "here" else length)
    )
    with pytest.raises(ServeError, match=words):
        read_request(body, where)


def test_an_answer_in_binary_says_where_its_json_ends() -> None:
    tensors = [Tensor("a", "FP32", (2,), np.array([1, 2], np.float32)), Tensor("b", "BYTES", (1,), [b"xy"])]
    body, end = write_answer({"model_name": "m"}, tensors, {"a", "b"})
    assert end is not None
    assert body[end:] == np.array([1, 2], "<f4").tobytes() + b"\x02\0\0\0xy"
    assert [o["parameters"]["binary_data_size"] for o in json.loads(body[:end])["outputs"]] == [8, 6]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, command: Any) -> Iterator[str]:
    """Return the address of a server that really listens."""
    from zerosight.serve.settings import ServeSettings

    settings = ServeSettings(models=("mean",), folder=tmp_path_factory.mktemp("listening"))
    server = create_server(settings, command)
    listener = uvicorn.Server(uvicorn.Config(server.app, lifespan="on", log_config=None, ws="none"))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(
            target=lambda: asyncio.run(listener.serve(sockets=[listening])), daemon=True
        )
        thread.start()
        end = time.monotonic() + 90
        while not listener.started:
            thread.join(0.05)
            assert thread.is_alive()
            assert time.monotonic() < end
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listener.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("binary", [True, False])
def test_tritons_own_client_is_understood(address: str, png: Any, binary: bool) -> None:
    triton = pytest.importorskip("tritonclient.http", reason="tritonclient[http] is not installed")
    client = triton.InferenceServerClient(address)
    try:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("mean")
        assert client.get_model_metadata("mean")["platform"] == "zerosight"
        pixels = np.zeros((2, 6, 7, 3), np.uint8)
        pixels[1] = 255
        tensor = triton.InferInput("pixels", list(pixels.shape), "UINT8")
        tensor.set_data_from_numpy(pixels, binary_data=binary)
        wanted = [
            triton.InferRequestedOutput(name, binary_data=binary) for name in ("score", "map", "is_anomalous")
        ]
        found = client.infer("mean", [tensor], outputs=wanted)
        assert found.as_numpy("score").tolist() == [0.0, 1.0]
        assert found.as_numpy("is_anomalous").tolist() == [False, True]
        assert found.as_numpy("map").shape == (2, 6, 7)
        assert np.array_equal(found.as_numpy("map")[1], np.ones((6, 7), np.float32))
        if binary:
            file = triton.InferInput("image", [1], "BYTES")
            file.set_data_from_numpy(np.array([png()], object))
            told = client.infer("mean", [file]).as_numpy("prediction")
            assert json.loads(told[0])["width"] == 40
        with pytest.raises(Exception, match="no model is called"):
            client.infer("nothing", [tensor])
    finally:
        client.close()

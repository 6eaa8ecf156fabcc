from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from zerosight.serve.answers import Models, Predictions, Problem


def images(*contents: bytes, names: tuple[str, ...] = ()) -> list[tuple[str, tuple[str, bytes]]]:
    listed = names or tuple(f"{i}.png" for i in range(len(contents)))
    return [("images", (name, content)) for name, content in zip(listed, contents, strict=True)]


def test_one_image_gets_what_the_library_says(client: TestClient, png: Any) -> None:
    reply = client.post("/v1/predict", files=images(png(100)))
    assert reply.status_code == 200
    answer = Predictions.model_validate(reply.json())
    [found] = answer.predictions
    assert (found.source, found.width, found.height) == ("0.png", 40, 30)
    assert found.score == pytest.approx((100 * (40 * 30 - 48) + 255 * 48) / (40 * 30 * 255), abs=0.02)
    assert not found.is_anomalous
    assert found.regions
    assert found.map is None


def test_many_images_keep_their_order_and_the_bad_ones_stand_apart(client: TestClient, png: Any) -> None:
    reply = client.post("/v1/predict", files=images(png(10), b"no image", png(200)))
    answer = Predictions.model_validate(reply.json())
    assert [found.source for found in answer.predictions] == ["0.png", "2.png"]
    assert [failure.source for failure in answer.failures] == ["1.png"]
    assert answer.failures[0].error.startswith("1.png: is not an image")


def test_a_bad_image_alone_is_422_in_the_readers_words(client: TestClient) -> None:
    reply = client.post("/v1/predict", files=images(b"GIF89a broken"))
    assert reply.status_code == 422
    assert Problem.model_validate(reply.json()).error.startswith("0.png: ")
    assert "Traceback" not in reply.text


def test_too_many_pixels_are_refused(client: TestClient, png: Any) -> None:
    reply = client.post("/v1/predict", files=images(png(size=(400, 300))))
    assert reply.status_code == 422
    assert "at most 100,000" in reply.json()["error"]


def test_thresholds_are_the_clients_to_choose(client: TestClient, png: Any) -> None:
    reply = client.post("/v1/predict?threshold=0.1&pixel_threshold=0.99", files=images(png(100)))
    [found] = Predictions.model_validate(reply.json()).predictions
    assert found.is_anomalous
    assert (found.threshold, found.pixel_threshold) == (0.1, 0.99)
    [region] = found.regions
    assert region.box[:2] == (0, 0)


def test_maps_and_previews_come_encoded(client: TestClient, png: Any) -> None:
    grey = client.post("/v1/predict?map=png&preview=true", files=images(png())).json()["predictions"][0]
    exact = client.post("/v1/predict?map=npy", files=images(png())).json()["predictions"][0]
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(grey["map"]["data"]))))
    values = np.load(io.BytesIO(base64.b64decode(exact["map"]["data"])), allow_pickle=False)
    assert picture.shape == values.shape == (30, 40)
    assert values.dtype == np.float32
    assert np.abs(picture / 255 - values).max() <= 0.5 / 255 + 1e-6
    assert Image.open(io.BytesIO(base64.b64decode(grey["preview"]["data"]))).format == "JPEG"


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/v1/predict?model=maen", 404, "did you mean 'mean'"),
        ("/v1/predict?threshold=2", 400, "less than or equal to 1"),
        ("/v1/predict?threshold=nan", 400, "finite"),
        ("/v1/predict?map=gif", 400, "'none', 'png' or 'npy'"),
        ("/v1/findings", 404, "no model for findings"),
        ("/v1/findings?model=mean", 400, "is a model of anomalies"),
        ("/v1/nothing", 404, "Not Found"),
    ],
)
def test_wrong_questions_are_one_line(
    client: TestClient, png: Any, path: str, status: int, words: str
) -> None:
    reply = client.post(path, files=images(png()))
    assert reply.status_code == status
    assert words in Problem.model_validate(reply.json()).error


def test_what_is_no_form_of_images_is_refused(client: TestClient, png: Any) -> None:
    assert client.post("/v1/predict", content=png()).status_code == 415
    assert client.post("/v1/predict", files=[("image", ("a.png", png()))]).status_code == 400
    assert client.post("/v1/predict", files=images(png()), data={"x": "1"}).status_code == 400
    assert client.post("/v1/predict", files=images(*[png()] * 9)).status_code == 400
    broken = client.post(
        "/v1/predict", content=b"--x\r\n", headers={"content-type": "multipart/form-data; boundary=y"}
    )
    assert broken.status_code == 400
    no_boundary = client.post("/v1/predict", content=b"a", headers={"content-type": "multipart/form-data"})
    assert no_boundary.status_code == 400


def test_names_are_one_line_and_lead_nowhere(client: TestClient, png: Any) -> None:
    reply = client.post("/v1/predict", files=images(png(), names=("../../etc/\x1bpasswd",)))
    assert reply.json()["predictions"][0]["source"] == "../../etc/ passwd"


def test_models_say_what_they_are(client: TestClient) -> None:
    [model] = Models.model_validate(client.get("/v1/models").json()).models
    assert (model.name, model.kind, model.ready, model.learnt) == ("mean", "anomalies", True, False)
    assert model.card["thresholds"]["image"] == 0.5


def test_the_server_counts(client: TestClient, png: Any) -> None:
    client.post("/v1/predict", files=images(png()))
    text = client.get("/metrics").text
    for name in (
        'zerosight_requests_total{route="/v1/predict",status="200"}',
        "zerosight_request_seconds_bucket",
        "zerosight_queue_length",
        "zerosight_batch_size_bucket",
        'zerosight_images_total{model="mean",outcome="answered"}',
    ):
        assert name in text


def test_the_schema_names_every_problem(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    predict = schema["paths"]["/v1/predict"]["post"]
    assert {"200", "400", "401", "413", "422", "429", "503"} <= predict["responses"].keys()
    assert "HTTPValidationError" not in schema["components"]["schemas"]

"""The Open Inference Protocol v2, which KServe's and Triton's clients speak.

A model of anomalies takes ``image`` (BYTES, files) or ``pixels`` (UINT8, N × H × W × 3) and gives ``score``,
``is_anomalous``, ``prediction`` (JSON, as ``/v1/predict`` has it) and, if it is named, ``map`` (FP32,
N × H × W). A model of findings takes ``labels`` (BYTES) beside them and gives ``probability``, ``label`` and
``prediction``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from zerosight import __version__
from zerosight.serve.answers import problems
from zerosight.serve.jobs import Answer, Job, ServeError
from zerosight.serve.pool import Pool
from zerosight.serve.shelf import Shelf
from zerosight.serve.tensors import (
    HEADER_LENGTH,
    InferAnswer,
    InferRequest,
    Tensor,
    read_request,
    write_answer,
)
from zerosight.serve.upload import read_labels, unless_gone
from zerosight.serve.work import ANOMALIES

VERSION = "1"
REQUEST_SCHEMA = "#/components/schemas/InferRequest"
_INPUTS = {
    "image": {"name": "image", "datatype": "BYTES", "shape": [-1]},
    "pixels": {"name": "pixels", "datatype": "UINT8", "shape": [-1, -1, -1, 3]},
    "labels": {"name": "labels", "datatype": "BYTES", "shape": [-1]},
}
_OUTPUTS: dict[str, list[dict[str, Any]]] = {
    "anomalies": [
        {"name": "score", "datatype": "FP32", "shape": [-1]},
        {"name": "is_anomalous", "datatype": "BOOL", "shape": [-1]},
        {"name": "prediction", "datatype": "BYTES", "shape": [-1]},
        {"name": "map", "datatype": "FP32", "shape": [-1, -1, -1]},
    ],
    "findings": [
        {"name": "probability", "datatype": "FP32", "shape": [-1, -1]},
        {"name": "label", "datatype": "BYTES", "shape": [-1]},
        {"name": "prediction", "datatype": "BYTES", "shape": [-1]},
    ],
}


def inference_router(shelf: Shelf) -> APIRouter:
    """Return the routes under ``/v2``."""
    router = APIRouter(prefix="/v2", tags=["open inference protocol"])

    @router.get("", responses=problems())
    async def server() -> Response:
        """What serves."""
        return JSONResponse(
            {"name": "zerosight", "version": __version__, "extensions": ["binary_tensor_data"]}
        )

    for part in (health_router(shelf), models_router(shelf), infer_router(shelf)):
        router.include_router(part)
    return router


def health_router(shelf: Shelf) -> APIRouter:
    """Return the routes that tell whether the server and its models are there."""
    router = APIRouter()

    @router.get("/health/live", responses=problems())
    async def live() -> Response:
        """Whether the server is there."""
        return JSONResponse({"live": True})

    @router.get("/health/ready", responses=problems(404, 503))
    async def ready() -> Response:
        """Whether every model is ready."""
        return _readiness(shelf.ready, {"ready": shelf.ready})

    return router


def models_router(shelf: Shelf) -> APIRouter:
    """Return the routes that tell of a model."""
    router = APIRouter()
    states = problems(404, 503)

    @router.get("/models/{name}", responses=states)
    async def model(name: str) -> Response:
        """What a model takes and gives."""
        return JSONResponse(_facts(shelf.find(name)))

    @router.get("/models/{name}/config", responses=states)
    async def config(name: str) -> Response:
        """What Triton's clients ask for before they infer."""
        pool = shelf.find(name)
        batch = shelf.settings.batching.size
        return JSONResponse({"name": pool.name, "platform": "zerosight", "max_batch_size": batch})

    @router.get("/models/{name}/ready", responses=states)
    async def model_ready(name: str) -> Response:
        """Whether a model is ready."""
        pool = shelf.find(name)
        return _readiness(pool.ready, {"name": pool.name, "ready": pool.ready})

    return router


def infer_router(shelf: Shelf) -> APIRouter:
    """Return the route that looks at tensors."""
    router = APIRouter()

    @router.post(
        "/models/{name}/infer",
        response_model=InferAnswer,
        responses=problems(404, 422, 429, 503, 504),
        openapi_extra={
            "requestBody": {
                "content": {"application/json": {"schema": {"$ref": REQUEST_SCHEMA}}},
                "required": True,
            }
        },
    )
    async def infer(name: str, request: Request) -> Response:
        """Look at images given as tensors, in JSON or in binary."""
        pool = shelf.find(name)
        pool.check_room()
        question, tensors = read_request(await request.body(), request.headers.get(HEADER_LENGTH))
        names = _wanted(question, pool)
        jobs = _jobs(tensors, pool, "map" in names, shelf.settings.limits.files)
        answers = await unless_gone(request, pool.ask(jobs))
        for answer in answers:
            if answer.error is not None:
                raise ServeError(answer.error, answer.status)
        outputs = {tensor.name: tensor for tensor in _outputs(pool, answers)}
        head = {"model_name": pool.name, "model_version": VERSION}
        if question.id is not None:
            head["id"] = question.id
        chosen = [outputs[output] for output in names if output in outputs]
        body, end = write_answer(head, chosen, _binary(question, names))
        if end is None:
            return Response(body, media_type="application/json")
        return Response(body, media_type="application/octet-stream", headers={HEADER_LENGTH: str(end)})

    return router


def _readiness(ready: bool, values: dict[str, Any]) -> Response:
    if ready:
        return JSONResponse(values)
    raise ServeError("not ready: a model is starting; try again", 503, 2)


def _facts(pool: Pool) -> dict[str, Any]:
    kind = pool.facts["kind"]
    inputs = ("image", "pixels") if kind == ANOMALIES else ("image", "pixels", "labels")
    return {
        "name": pool.name,
        "versions": [VERSION],
        "platform": "zerosight",
        "inputs": [_INPUTS[name] for name in inputs],
        "outputs": _OUTPUTS[kind],
    }


def _wanted(question: InferRequest, pool: Pool) -> list[str]:
    """Return the names of the outputs to give: those asked for, or all but the map.

    Raises:
        ServeError: One is not known.
    """
    known = [output["name"] for output in _OUTPUTS[pool.facts["kind"]]]
    if not question.outputs:
        return [name for name in known if name != "map"]
    for output in question.outputs:
        if output.name not in known:
            raise ServeError(f"no output is called '{output.name}'; known: {', '.join(known)}")
    return [output.name for output in question.outputs]


def _binary(question: InferRequest, names: Sequence[str]) -> set[str]:
    """Return the names of the outputs that follow as bytes."""
    everything = question.parameters.get("binary_data_output") is True
    said = {output.name: output.parameters.get("binary_data") for output in question.outputs or ()}
    return {name for name in names if (everything if said.get(name) is None else said[name] is True)}


def _jobs(tensors: Mapping[str, Tensor], pool: Pool, maps: bool, most: int) -> list[Job]:
    """Return a job per image.

    Raises:
        ServeError: Not exactly one of ``image`` and ``pixels`` is there, or another, or of a wrong form.
    """
    allowed = {"image", "pixels"} | ({"labels"} if pool.facts["kind"] != ANOMALIES else set())
    unknown = sorted(tensors.keys() - allowed)
    if unknown or len(tensors.keys() & {"image", "pixels"}) != 1:
        raise ServeError("inputs: give either 'image' (BYTES) or 'pixels' (UINT8), and nothing unknown")
    options: dict[str, Any] = {"map": "raw"} if maps else {}
    labels = tensors.get("labels")
    if labels is not None:
        if not isinstance(labels.values, list):
            raise ServeError("input 'labels': should be BYTES, the names of findings")
        options["labels"] = read_labels(",".join(label.decode(errors="replace") for label in labels.values))
    group = json.dumps(options)
    source = tensors.get("image") or tensors["pixels"]
    if source.name == "image":
        if not isinstance(source.values, list):
            raise ServeError("input 'image': should be BYTES, the files themselves")
        contents = [(value, options) for value in source.values]
    else:
        if isinstance(source.values, list) or source.datatype != "UINT8" or len(source.shape) != 4:
            raise ServeError("input 'pixels': should be UINT8 of N × H × W × 3")
        shape = list(source.shape[1:])
        contents = [(array.tobytes(), options | {"shape": shape}) for array in source.values]
    if not 1 <= len(contents) <= most:
        raise ServeError(f"{len(contents)} images; send 1 to {most} per request")
    return [
        Job("predict", {**chosen, "source": f"image {i}"}, [content], group)
        for i, (content, chosen) in enumerate(contents)
    ]


def _outputs(pool: Pool, answers: Sequence[Answer]) -> list[Tensor]:
    """Return the answers of all images as tensors.

    Raises:
        ServeError: Maps of images of several sizes are one tensor.
    """
    values, count = [answer.values for answer in answers], (len(answers),)
    texts = [json.dumps(value).encode() for value in values]
    told = Tensor("prediction", "BYTES", count, texts)
    if pool.facts["kind"] != ANOMALIES:
        names = sorted(finding["name"] for finding in values[0]["findings"])
        found = [{f["name"]: f["probability"] for f in value["findings"]} for value in values]
        table = np.array([[one[name] for name in names] for one in found], np.float32)
        label = Tensor("label", "BYTES", (len(names),), [name.encode() for name in names])
        return [Tensor("probability", "FP32", table.shape, table), label, told]
    scores = np.array([value["score"] for value in values], np.float32)
    yes = np.array([value["is_anomalous"] for value in values], bool)
    outputs = [Tensor("score", "FP32", count, scores), Tensor("is_anomalous", "BOOL", count, yes), told]
    if "map" in answers[0].blobs:
        sizes = {(value["height"], value["width"]) for value in values}
        if len(sizes) > 1:
            raise ServeError("output 'map': the images differ in size; send those of one size together")
        maps = np.stack([np.frombuffer(a.blobs["map"], "<f4").reshape(*sizes) for a in answers])
        outputs.append(Tensor("map", "FP32", maps.shape, maps))
    return outputs

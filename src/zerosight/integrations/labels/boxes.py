"""Regions as boxes: COCO, YOLO, FiftyOne and supervision."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from zerosight.errors import MissingExtraError
from zerosight.files import replacing, write_atomically
from zerosight.integrations.labels.regions import LABEL, named, region_mask, write_json
from zerosight.report.heatmap import heatmap
from zerosight.types import Failure, Prediction


def write_coco(predictions: Iterable[Prediction | Failure], path: str | Path) -> Path:
    """Write predictions as a COCO file, a box and a mask (run lengths) per region, and return its path.

    Args:
        predictions: What ``predict`` yields; failures are left out.
        path: The JSON file.

    Raises:
        OutputError: It cannot be written.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for _, one in named(predictions):
        height, width = one.anomaly_map.shape
        image = len(images) + 1
        about = {"score": round(one.score, 6), "is_anomalous": one.is_anomalous}
        images.append({"id": image, "file_name": one.source, "width": width, "height": height, **about})
        for region in one.regions:
            left, top, right, bottom = region.box
            mask = region_mask(one, region)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": 1,
                    "bbox": [left, top, right - left, bottom - top],
                    "area": int(mask.sum()),
                    "segmentation": {"counts": run_lengths(mask), "size": [height, width]},
                    "iscrowd": 1,  # COCO's word for a mask of run lengths
                    "score": round(region.peak, 6),
                }
            )
    category = {"id": 1, "name": LABEL, "supercategory": ""}
    content = {"images": images, "annotations": annotations, "categories": [category]}
    return write_json(path, content)


def write_yolo(predictions: Iterable[Prediction | Failure], folder: str | Path) -> list[Path]:
    """Write a text file per image, a line per region: class, centre, width, height (shares), confidence.

    ``classes.txt`` names the classes. An image without a region has an empty file.

    Args:
        predictions: What ``predict`` yields; failures are left out.
        folder: Where the files go.

    Raises:
        OutputError: The folder cannot be written.
    """
    found = []
    write_atomically(Path(folder) / "classes.txt", f"{LABEL}\n".encode())
    for name, one in named(predictions):
        height, width = one.anomaly_map.shape
        lines = []
        for region in one.regions:
            left, top, right, bottom = region.box
            centre = ((left + right) / 2 / width, (top + bottom) / 2 / height)
            size = ((right - left) / width, (bottom - top) / height)
            lines.append("0 " + " ".join(f"{value:.6f}" for value in (*centre, *size, region.peak)) + "\n")
        found.append(Path(folder) / f"{name}.txt")
        write_atomically(found[-1], "".join(lines).encode())
    return found


def write_fiftyone(predictions: Iterable[Prediction | Failure], folder: str | Path) -> Path:
    """Write ``samples.json`` in FiftyOne's form, with heatmaps beside it, and return its path.

    A sample has ``filepath``, ``detections`` (boxes in shares of the image), ``heatmap`` (a picture of the
    map, grey levels 0 to 255) and a ``classification``, as ``fiftyone.Sample.from_dict`` reads them.

    Args:
        predictions: What ``predict`` yields; failures are left out.
        folder: Where the files go.

    Raises:
        OutputError: The folder cannot be written.
    """
    samples = []
    for name, one in named(predictions):
        height, width = one.anomaly_map.shape
        place = Path(folder) / "heatmaps" / f"{name}.png"
        with replacing(place, "what was written before is kept") as temporary:
            heatmap(one.anomaly_map).convert("L").save(temporary, format="PNG")
        detections = []
        for region in one.regions:
            left, top, right, bottom = region.box
            box = [left / width, top / height, (right - left) / width, (bottom - top) / height]
            detections.append(
                {"_cls": "Detection", "label": LABEL, "bounding_box": box, "confidence": region.peak}
            )
        verdict = LABEL if one.is_anomalous else "normal"
        samples.append(
            {
                "filepath": str(Path(one.source).absolute()),
                "tags": [],
                "classification": {"_cls": "Classification", "label": verdict, "confidence": one.score},
                "detections": {"_cls": "Detections", "detections": detections},
                "heatmap": {"_cls": "Heatmap", "map_path": str(place.absolute()), "range": [0, 255]},
            }
        )
    return write_json(Path(folder) / "samples.json", {"samples": samples})


def to_supervision(prediction: Prediction) -> Any:
    """Return the regions as ``supervision.Detections``, with masks, ready for its annotators.

    Raises:
        MissingExtraError: The package supervision is not installed.
    """
    try:
        import supervision
    except ImportError:
        raise MissingExtraError(
            "the package 'supervision' is not installed; run: pip install supervision"
        ) from None
    regions = prediction.regions
    if not regions:
        return supervision.Detections.empty()
    return supervision.Detections(
        xyxy=np.array([region.box for region in regions], np.float32),
        mask=np.stack([region_mask(prediction, region) for region in regions]),
        confidence=np.array([region.peak for region in regions], np.float32),
        class_id=np.zeros(len(regions), int),
        data={"class_name": np.array([LABEL] * len(regions))},
    )


def run_lengths(mask: Bool[np.ndarray, "height width"]) -> list[int]:
    """Return COCO's uncompressed run lengths: column by column, beginning with how many are False.

    >>> run_lengths(np.array([[True, False], [True, True]]))
    [0, 2, 1, 1]
    """
    flat = mask.ravel(order="F")
    runs = [len(list(group)) for _, group in groupby(flat.tolist())]
    return [0, *runs] if flat.size and flat[0] else runs

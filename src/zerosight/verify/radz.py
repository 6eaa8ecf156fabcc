"""LLaVA-RadZ's losses against values that a slow loop in float64 wrote down."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from zerosight.errors import DataError
from zerosight.models.llava_radz.dfat import info_nce_directions
from zerosight.models.llava_radz.dkam import category_term
from zerosight.models.llava_radz.losses import PairFeatures, radz_losses
from zerosight.verify.report import Difference, difference, load_case

FEATURES = ("image_global", "text_global", "image_local", "text_local")
ARRAYS = (*FEATURES, "anchors", "labels", "text_id")


def verify_radz(prefix: Path) -> list[Difference]:
    """Return the difference of every value of ``PREFIX.json``, computed in fp32 from ``PREFIX.npz``.

    Raises:
        DataError: A file is missing or is not of this format.
    """
    facts, arrays = load_case(prefix, "tau", "total")
    missing = [name for name in ARRAYS if name not in arrays]
    if missing:
        raise DataError(f"{prefix}.npz: lacks {', '.join(missing)}; is it of this format?")
    image, text, image_local, text_local = (torch.from_numpy(arrays[name]).float() for name in FEATURES)
    anchors = torch.from_numpy(arrays["anchors"]).float()
    labels, ids = torch.from_numpy(arrays["labels"]).bool(), torch.from_numpy(arrays["text_id"])
    tau = float(facts["tau"])
    losses = radz_losses(PairFeatures(image, text, image_local, text_local, labels, ids), anchors, tau)
    ours = {
        "global": losses.global_,
        "local": losses.local,
        "category_image": category_term(image, anchors, labels, tau),
        "category_text": category_term(text, anchors, labels, tau),
        "category": losses.category,
        "total": losses.total,
    }
    for name, pair in (("global", (image, text)), ("local", (image_local, text_local))):
        directions = info_nce_directions(*pair, tau, ids)
        ours[f"{name}_image_to_text"] = directions.image_to_text
        ours[f"{name}_text_to_image"] = directions.text_to_image
    unknown = sorted(set(facts) - {"tau"} - set(ours))
    if unknown:
        raise DataError(f"{prefix}.json: holds unknown values {', '.join(unknown)}; known: {', '.join(ours)}")
    return [difference(name, ours[name], np.asarray(value)) for name, value in facts.items() if name != "tau"]

"""Copy a finished run into its package as a shipped model, with its measured quality on the card.

Models of findings go to packages/zerosight-radz-tiny, as their licence is not that of zerosight.

python tools/ship.py RUN EVALUATION.json --command "…" --note "…"
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from zerosight.guarded.json import read_json
from zerosight.models.card import save_card
from zerosight.models.catalog import card_of

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = {
    "vip2clip": ROOT / "src/zerosight/models/shipped",
    "llava-radz": ROOT / "packages/zerosight-radz-tiny/src/zerosight_radz_tiny",
}


def main() -> None:
    """Write the model folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("evaluation", type=Path)
    parser.add_argument("--command", required=True, help="what makes these weights")
    parser.add_argument("--note", action="append", default=[], help="a line for the card; repeatable")
    arguments = parser.parse_args()
    card = card_of(arguments.run)
    evaluation = read_json(arguments.evaluation)
    rows = finding_rows if card.architecture == "llava-radz" else anomaly_rows
    quality = rows(evaluation)
    card = card.model_copy(
        update={
            "quality": quality,
            "notes": (*card.notes, *arguments.note),
            "training": {"command": arguments.command} | card.training,
        }
    )
    folder = SHIPPED[card.architecture] / card.name
    folder.mkdir(parents=True, exist_ok=True)
    for path in arguments.run.glob("*.safetensors"):
        shutil.copyfile(path, folder / path.name)
    save_card(card, folder)
    print(folder)


def anomaly_rows(evaluation: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of an anomaly evaluation, one per data set."""
    return [quality_row(one["name"], one["mean"], one["images"]) for one in evaluation["datasets"]]


def finding_rows(evaluation: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of an evaluation of findings, one per finding and one for their mean."""
    data = f"{evaluation['data']['name']}, {evaluation['images']} images"
    named = [(one["name"], one) for one in evaluation["findings"]]
    return [
        {
            "data": data,
            "finding": name,
            "with": metrics["positives"],
            "without": metrics["negatives"],
            "AUROC (95 % interval)": cell(metrics["auroc"]),
            "AP": cell(metrics["ap"]),
            "ECE": cell(metrics["calibration_error"]),
        }
        for name, metrics in [*named, ("mean", evaluation["macro"])]
    ]


def quality_row(name: str, mean: dict[str, Any], images: int) -> dict[str, Any]:
    """Return one row of the card's table, AUROC and the rest in per cent."""
    image, pixel = mean["image"], mean["pixel"]
    return {
        "data": name,
        "images": images,
        "normal": image["normal"],
        "anomalous": image["anomalous"],
        "image AUROC (95 % interval)": cell(image["auroc"]),
        "image AP": cell(image["ap"]),
        "image F1-max": cell(image["f1_max"]),
        "pixel AUROC": cell(pixel["auroc"]),
        "AUPRO": cell(pixel["aupro_exact"]),
        "pixel F1-max": cell(pixel["f1_max"]),
    }


def cell(metric: dict[str, Any]) -> str:
    """Return a metric in per cent, with its interval, or why there is none."""
    if metric["value"] is None:
        return f"n/a: {metric['reason']}"
    interval = metric.get("interval")
    spread = f" ({100 * interval['low']:.1f}–{100 * interval['high']:.1f})" if interval else ""
    return f"{100 * metric['value']:.1f}{spread}"


if __name__ == "__main__":
    main()

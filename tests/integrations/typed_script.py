"""What a user's program looks like to a type checker: tools/integrations.py gives it to ``mypy --strict``.

The wrong calls are marked; were anything of ours ``Any`` to a user, mypy would call the marks unused.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import zerosight
from zerosight import (
    Failure,
    FindingPrediction,
    FindingPredictor,
    Prediction,
    Predictor,
    Region,
    ZerosightError,
)


def worst(predictor: Predictor, folder: Path) -> Prediction | None:
    """Return the most anomalous image of a folder."""
    results: Iterator[Prediction | Failure] = predictor.predict(folder, on_error="skip")
    found = [one for one in results if isinstance(one, Prediction)]
    return max(found, key=lambda one: one.score, default=None)


def boxes(prediction: Prediction) -> list[tuple[int, int, int, int]]:
    """Return where its regions are."""
    regions: tuple[Region, ...] = prediction.regions
    return [region.box for region in regions]


def probabilities(predictor: FindingPredictor, folder: Path) -> dict[str, dict[str, float | None]]:
    """Return what findings a folder of chest X-rays has."""
    found = predictor.predict(folder, ["edema"], on_error="skip")
    return {
        one.source: {finding.name: finding.probability for finding in one.findings}
        for one in found
        if isinstance(one, FindingPrediction)
    }


def main() -> None:
    """Do what people do."""
    try:
        predictor = zerosight.load("vip2clip-lite").with_normals("good/").tiled(512)
    except ZerosightError as error:
        raise SystemExit(str(error)) from None
    one = worst(predictor, Path("photos"))
    if one is not None:
        one.overlay().save("worst.png")
        height, width = one.anomaly_map.shape
        print(f"{one.score:.2f}", one.is_anomalous, height, width, boxes(one))
    found = zerosight.evaluate("folder:parts", predictor)
    print(found.datasets[0].mean.image.auroc.value)
    trained = zerosight.train("parts.jsonl", "run", epochs=1)
    print(trained.folder, trained.card.thresholds.image)
    card = zerosight.calibrate("good/", "mine", false_alarms=0.05)
    print(card.name)


def wrong() -> None:
    """Do what a type checker should find."""
    zerosight.load(3)  # type: ignore[arg-type]
    zerosight.load("vip2clip-lite").predict("a.png", on_error="ignore")  # type: ignore[arg-type]
    print(zerosight.load("vip2clip-lite").predict_one("a.png").no_such_thing)  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()

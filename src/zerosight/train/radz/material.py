"""What a run is made of: the pairs of its manifests, who is held out, and the findings of both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from zerosight.errors import DataError
from zerosight.models.llava_radz.anchors import AnchorTexts, anchor_texts
from zerosight.models.llava_radz.descriptions import load_descriptions
from zerosight.train.radz.config import RadzTrainConfig
from zerosight.train.radz.samples import Study, categories, check_patients, draw, read_studies
from zerosight.train.radz.validation import FEWEST, judged


@dataclass(frozen=True, slots=True)
class Material:
    """What is trained on and judged by.

    Attributes:
        train: Studies with a text.
        held_out: Images with labels that can be judged by.
        useless: Number of held-out images whose labels cannot be.
        categories: What the anchors of the training data's findings are made of; None without any.
        judged: Likewise of the findings that held-out images can judge.
        used: Findings whose names or labels training uses, to learn or to choose the best epoch by.
        skipped: Number of studies left out, by reason.
    """

    train: list[Study]
    held_out: list[Study]
    useless: int
    categories: AnchorTexts | None
    judged: AnchorTexts | None
    used: tuple[str, ...]
    skipped: Mapping[str, int]

    def summary(self) -> str:
        """Return the numbers in a line."""
        names = f" of {', '.join(self.judged.names)}" if self.judged else ""
        parts = [f"{len(self.train)} pairs to train on, {len(self.held_out)} held-out images{names}"]
        if self.useless:
            rule = f"a finding needs {FEWEST} with it and {FEWEST} without"
            parts.append(f"held-out images whose labels cannot judge: {self.useless} ({rule})")
        if self.skipped:
            parts.append(f"skipped: {_counts(self.skipped)}")
        return "; ".join(parts)


def read_material(config: RadzTrainConfig) -> Material:
    """Return what the manifests hold for a run.

    Raises:
        DataError: There are no pairs to train on, images are missing, or patients are on both sides.
        DescriptionError: A finding has no description.
    """
    skipped: Counter[str] = Counter()
    datasets = config.datasets()
    source = (config.text, config.labels)
    train = read_studies(datasets, config.splits, *source, skipped, kept_out=config.kept_out)
    held_out = read_studies(datasets, config.val_splits, *source, kept_out=config.kept_out)
    if not train:
        raise DataError(
            f"{', '.join(config.data)}: nothing to pair an image with in split "
            f"{', '.join(config.splits)} ({_counts(skipped) or 'no images'}); set 'splits' or 'text'"
        )
    check_patients(train, held_out)
    train = draw(train, config.limit, config.seed)
    known = load_descriptions(config.anchors)
    present, names_judged = categories(train), judged(held_out)
    names = present if config.weights.category else ()
    worded = {name for study in train for name in study.known} if config.text != "report" else set()
    judges = [study for study in held_out if study.known & set(names_judged)]
    return Material(
        train=train,
        held_out=judges,
        useless=len(held_out) - len(judges),
        categories=anchor_texts(names, known) if names else None,
        judged=anchor_texts(names_judged, known) if names_judged else None,
        used=tuple(sorted({*present, *names_judged, *worded})),
        skipped=skipped,
    )


def _counts(skipped: Mapping[str, int]) -> str:
    return ", ".join(f"{count} with {reason}" for reason, count in sorted(skipped.items()))

"""The head of a card as the Hugging Face hub reads it: licence, tags, base model, measured results."""

from __future__ import annotations

import re
from typing import Any

import yaml

from zerosight.models.card import Card, render

LIBRARY = "zerosight"
LICENCES = frozenset(
    {"apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0", "cc-by-nc-4.0", "cc0-1.0", "openrail"}
)
"""Identifiers of the hub that our licences may be; any other licence is ``other``, with its own words."""
METRICS = (("AUROC", "roc_auc"), ("AUPRO", "aupro"), ("AP", "average_precision"), ("F1", "f1"))
"""What a column's name holds, and the metric that it is."""
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?=$|[ (])")


def model_card(card: Card) -> str:
    """Return the card as Markdown with a head that the hub takes for a model's facts."""
    head = yaml.safe_dump(front_matter(card), sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{head}---\n\n{render(card)}"


def front_matter(card: Card) -> dict[str, Any]:
    """Return the facts of a card by the hub's names for them.

    Values of ``model-index`` are those of the card's table, in per cent as they stand there.

    >>> front_matter(Card(name="x", architecture="vip2clip"))["license"]
    'apache-2.0'
    """
    licence = card.licence.strip().lower()
    known = licence in LICENCES
    facts: dict[str, Any] = {"license": licence if known else "other"}
    if not known:
        facts["license_name"] = card.licence or "unknown"
    facts |= {"library_name": LIBRARY, "tags": [LIBRARY, card.architecture, *card.hub_tags()]}
    if base := card.hub_base():
        facts["base_model"] = base
    results = [one for row in card.quality if (one := _result(card, row))]
    if results:
        kinds = {metric["type"] for one in results for metric in one["metrics"]}
        facts["metrics"] = [kind for _, kind in METRICS if kind in kinds]
        facts["model-index"] = [{"name": card.name, "results": results}]
    return facts


def _result(card: Card, row: dict[str, Any]) -> dict[str, Any] | None:
    """Return what was measured on one data set, or None where nothing is a number."""
    metrics = []
    for column, value in row.items():
        kind = next((kind for mark, kind in METRICS if mark in column), None)
        number = _NUMBER.match(str(value)) if kind else None
        if number:
            metrics.append({"type": kind, "name": column, "value": float(number.group())})
    if not metrics:
        return None
    data = str(row.get("data", "unknown"))
    name = f"{data}: {row['finding']}" if "finding" in row else data
    return {
        "task": {"type": card.hub_tags()[0]},
        "dataset": {
            "name": name,
            "type": re.sub(r"[^\w-]+", "-", data.split(",")[0]).strip("-") or "unknown",
        },
        "metrics": metrics,
    }

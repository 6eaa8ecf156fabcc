"""Split: records into named parts by a seed, so that a group never ends up in two parts."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace

from zerosight.data.manifest import Dataset
from zerosight.data.rows import Record
from zerosight.errors import DataError


def split_records(dataset: Dataset, fractions: Mapping[str, float], seed: int) -> Iterator[Record]:
    """Yield a data set's records in their order, each with the part it now belongs to as its split.

    Records of one group (patient, object) stay together; without a group, records of one hash do. Each
    category's groups, those with an anomalous image apart from the others, are dealt out in an order that
    only the seed and the groups' names decide, always to the part that lacks most of its share: every part
    gets its fraction of each, as nearly as whole groups allow.

    Args:
        dataset: Read twice, its rows not held; per group its key and part are.
        fractions: Names of the parts and their shares, positive with sum 1.
        seed: Another seed gives another split.

    Raises:
        DataError: The fractions are not shares, or a row is bad.
    """
    total = sum(fractions.values())
    if not fractions or any(not name for name in fractions):
        raise DataError("no parts to split into; give names and shares, such as train=0.8 test=0.2")
    if not all(share > 0 for share in fractions.values()) or not math.isclose(total, 1, abs_tol=1e-6):
        given = ", ".join(f"{name}={share:g}" for name, share in fractions.items())
        raise DataError(f"shares {given} should be positive with sum 1, their sum is {total:g}")
    parts = _assign(dataset, fractions, seed)
    for record in dataset.records():
        yield replace(record, split=parts[_key(record)])


def _assign(dataset: Dataset, fractions: Mapping[str, float], seed: int) -> dict[str, str]:
    """Return the part of every group."""
    sizes: dict[str, int] = defaultdict(int)
    categories: dict[str, str] = {}
    anomalous: set[str] = set()
    for record in dataset.records():
        key = _key(record)
        sizes[key] += 1
        categories[key] = min(record.category, categories.get(key, record.category))
        if record.label == 1:
            anomalous.add(key)
    dealt: dict[tuple[str, bool], dict[str, int]] = {}
    parts: dict[str, str] = {}
    for key in sorted(sizes, key=lambda key: _shuffled(key, seed)):
        taken = dealt.setdefault((categories[key], key in anomalous), dict.fromkeys(fractions, 0))
        so_far = sum(taken.values()) + sizes[key]
        part = max(fractions, key=lambda name: fractions[name] * so_far - taken[name])
        taken[part] += sizes[key]
        parts[key] = part
    return parts


def _key(record: Record) -> str:
    """Return what must stay together: the group, else the content, else the file."""
    if record.group is not None:
        return f"group {record.group}"
    return f"hash {record.hash}" if record.hash else f"image {record.image}"


def _shuffled(key: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {key}".encode(errors="surrogatepass")).digest()

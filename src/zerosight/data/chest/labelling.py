"""Labels for the rows of a manifest that have a report and no labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from zerosight.data.chest.extract import report_labels
from zerosight.data.rows import Record


def label_records(records: Iterable[Record]) -> Iterator[Record]:
    """Yield the records; those with text and without labels get what the extractor reads in the text."""
    for record in records:
        if record.text and not record.labels:
            yield replace(record, labels=report_labels(record.text))
        else:
            yield record

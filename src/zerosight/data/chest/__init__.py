"""Chest X-rays: the names of findings, what radiology reports say about them, and how to word a report."""

from zerosight.data.chest.extract import Mention, extract_labels, find_mentions, report_labels
from zerosight.data.chest.names import (
    CHESTXRAY14,
    CHEXPERT5,
    CHEXPERT14,
    FINDINGS,
    IMPLIES,
    NO_DISEASE,
    NO_FINDING,
    canonical,
    check_labels,
)
from zerosight.data.chest.reports import Report, clean_report
from zerosight.data.chest.wording import FindingDetail, report_sentences

__all__ = [
    "CHESTXRAY14",
    "CHEXPERT5",
    "CHEXPERT14",
    "FINDINGS",
    "IMPLIES",
    "NO_DISEASE",
    "NO_FINDING",
    "FindingDetail",
    "Mention",
    "Report",
    "canonical",
    "check_labels",
    "clean_report",
    "extract_labels",
    "find_mentions",
    "report_labels",
    "report_sentences",
]

"""Chest phantoms: procedural chest X-rays with findings, labels, masks and reports."""

from zerosight.data.synthetic.chest.findings import KINDS, Finding, draw_finding
from zerosight.data.synthetic.chest.generate import write_phantoms
from zerosight.data.synthetic.chest.phantom import Phantom, Plan, make_phantom, plan_phantom
from zerosight.data.synthetic.chest.reports import report_sentences
from zerosight.data.synthetic.chest.sheet import contact_sheet

__all__ = [
    "KINDS",
    "Finding",
    "Phantom",
    "Plan",
    "contact_sheet",
    "draw_finding",
    "make_phantom",
    "plan_phantom",
    "report_sentences",
    "write_phantoms",
]

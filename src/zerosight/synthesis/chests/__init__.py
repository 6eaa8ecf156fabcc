"""Chest phantoms: procedural chest X-rays with findings, labels, masks and reports."""

from zerosight.synthesis.chests.generate import write_phantoms
from zerosight.synthesis.chests.phantom import Phantom, PhantomPlan, make_phantom, plan_phantom
from zerosight.synthesis.chests.plan import KINDS, Finding, draw_finding
from zerosight.synthesis.chests.sheet import contact_sheet

__all__ = [
    "KINDS",
    "Finding",
    "Phantom",
    "PhantomPlan",
    "contact_sheet",
    "draw_finding",
    "make_phantom",
    "plan_phantom",
    "write_phantoms",
]

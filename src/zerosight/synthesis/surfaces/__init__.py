"""Synthetic data: auxiliary images with defects and masks, made by procedure."""

from zerosight.synthesis.surfaces.bases import DEMO_PHOTOGRAPHS, TRAINING_PHOTOGRAPHS
from zerosight.synthesis.surfaces.generate import synthesize
from zerosight.synthesis.surfaces.sample import SurfaceSample, SynthesisConfig, make_sample

__all__ = [
    "DEMO_PHOTOGRAPHS",
    "TRAINING_PHOTOGRAPHS",
    "SurfaceSample",
    "SynthesisConfig",
    "make_sample",
    "synthesize",
]

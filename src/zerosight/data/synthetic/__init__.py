"""Synthetic data: auxiliary images with defects and masks, made by procedure."""

from zerosight.data.synthetic.bases import DEMO_PHOTOGRAPHS, TRAINING_PHOTOGRAPHS
from zerosight.data.synthetic.generate import synthesize
from zerosight.data.synthetic.sample import Sample, SynthesisConfig, make_sample

__all__ = [
    "DEMO_PHOTOGRAPHS",
    "TRAINING_PHOTOGRAPHS",
    "Sample",
    "SynthesisConfig",
    "make_sample",
    "synthesize",
]

"""Integrations: zerosight inside the tools that people already use, each of which is an extra.

    anomalib    ViP²-CLIP as a model of anomalib, for its Engine, command line and metrics
    labels      predictions as annotations: COCO, YOLO, Label Studio, FiftyOne, masks; and back

The Hugging Face hub lies lower, in :mod:`zerosight.models.hub`: every name of a model may be one there.
Nothing here is imported unless it is named; the tool's own package is needed where the module says so.
"""

"""The words that a user chooses among: the command line offers what the library takes.

Nothing heavy is imported here, as the command line reads it before it knows what is wanted.
"""

from typing import Literal

Arithmetic = Literal["exact", "fast"]
"""How a model is computed: in fp32 throughout, or its image tower in what is fastest (bf16)."""
OnError = Literal["stop", "skip"]
"""What to do about an image that cannot be read: stop there, or say so and go on."""
ScoreMode = Literal["cosine", "vs-normal", "pos-neg"]
"""How findings are scored (see :mod:`zerosight.models.llava_radz.scoring`)."""
MapName = Literal["contrast", "steps", "projector", "gradient", "relevance", "joint", "occlusion"]
"""How a map of a finding is made (see :mod:`zerosight.models.llava_radz.evidence`)."""
GraphFormat = Literal["onnx", "openvino"]
"""For which runtime a model is exported."""
Runtime = Literal["auto", "torch", "onnx", "openvino"]
"""What computes a model (see :mod:`zerosight.export.prepared`)."""
Precision = Literal["fp32", "fp16", "int8"]
"""How an exported graph stores its weights, and for int8, how it computes the image tower."""
Resolution = Literal["model", "native"]
"""The size at which maps are compared with masks: the model's, or each image's own."""
Aupro = Literal["exact", "published"]
"""The two variants of AUPRO."""
ReportPart = Literal["held-out", "tuning", "all"]
"""Which of the Indiana reports: those that the word lists were not written on, those that were, or all."""
RawMaps = Literal["npy", "tiff"]
"""How maps are written as numbers: float32 in [0, 1], at the image's own size."""
Pictures = Literal["all", "anomalous", "previews", "none"]
"""Of which images heatmap, outline and preview are drawn; or previews alone, of all."""
Annotations = Literal["coco", "yolo", "label-studio", "fiftyone"]
"""For which tool regions are written as annotations."""
AugmentChoice = Literal["auto", "none", "flips", "turns"]
"""Copies of normal images that count, too: mirrored ones, those turned by right angles, too, or what fits."""
Pool = Literal["mean", "concat"]
"""How LLaVA-RadZ makes one state of its special tokens'."""

"""Exported graphs, run without PyTorch."""

from zerosight.runtimes.facts import GraphFacts
from zerosight.runtimes.load import is_exported, load_graph
from zerosight.runtimes.onnx import OnnxScorer
from zerosight.runtimes.openvino import OpenVinoScorer

__all__ = ["GraphFacts", "OnnxScorer", "OpenVinoScorer", "is_exported", "load_graph"]

"""Export: one graph from pixels to score and map, held to the model it came from."""

from zerosight.export.config import ExportConfig
from zerosight.export.run import Exported, export_model

__all__ = ["ExportConfig", "Exported", "export_model"]

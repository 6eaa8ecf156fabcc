from .check import Agreement, compare
from .config import ExportConfig
from .run import Exported, export_model

__all__ = ["Agreement", "ExportConfig", "Exported", "compare", "export_model"]

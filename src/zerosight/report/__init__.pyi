from .cells import Cell, cell
from .findings import FindingFormat
from .findings_html import write_finding_report
from .formats import AnomalyFormat, ResultFormat
from .heatmap import contact_sheet, heatmap, outline, overlay
from .html import write_report
from .table import Table
from .writer import ResultWriter

__all__ = [
    "AnomalyFormat",
    "Cell",
    "FindingFormat",
    "ResultFormat",
    "ResultWriter",
    "Table",
    "cell",
    "contact_sheet",
    "heatmap",
    "outline",
    "overlay",
    "write_finding_report",
    "write_report",
]

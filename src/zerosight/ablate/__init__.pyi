from .config import StudyConfig, VariantConfig, settle
from .outcome import Measured, Outcome
from .output import write_study
from .run import Job, Study, run_study
from .tables import StudyTables, make_tables

__all__ = [
    "Job",
    "Measured",
    "Outcome",
    "Study",
    "StudyConfig",
    "StudyTables",
    "VariantConfig",
    "make_tables",
    "run_study",
    "settle",
    "write_study",
]

"""Chest X-ray data sets as their owners publish them: findings, patients, splits and reports."""

from zerosight.data.layouts.chest.chestxray14 import CHESTXRAY14_INFO
from zerosight.data.layouts.chest.chexpert import CHEXPERT_INFO
from zerosight.data.layouts.chest.covidx import COVIDX_INFO
from zerosight.data.layouts.chest.cxr_lt import CXR_LT_INFOS
from zerosight.data.layouts.chest.findings_csv import FINDINGS_CSV
from zerosight.data.layouts.chest.mimic import MIMIC_INFO
from zerosight.data.layouts.chest.open_i import OPEN_I_INFO
from zerosight.data.layouts.chest.padchest import PADCHEST_INFO
from zerosight.data.layouts.chest.rsna import RSNA_INFO
from zerosight.data.layouts.chest.siim import SIIM_INFO
from zerosight.data.layouts.chest.vindr import VINDR_INFO

__all__ = ["CHEST", "FINDINGS_CSV"]

CHEST = (
    CHESTXRAY14_INFO,
    CHEXPERT_INFO,
    RSNA_INFO,
    SIIM_INFO,
    COVIDX_INFO,
    PADCHEST_INFO,
    OPEN_I_INFO,
    VINDR_INFO,
    MIMIC_INFO,
    *CXR_LT_INFOS,
)
"""The published sets, in the order of the field's tables."""

"""The results that ViP²-CLIP's authors report, in per cent.

Source: arXiv 2505.17692, the tables of image-level and pixel-level results with CLIP ViT-L/14@336px at
518 × 518: trained on MVTec AD's test split, and on VisA's for MVTec AD itself. Means are over categories.
"""

from __future__ import annotations

INDUSTRIAL = ("mvtec_ad", "visa", "mpdd", "ksdd", "btad", "dagm", "dtd_synthetic")
MEDICAL = ("head_ct", "brain_mri", "br35h", "isic", "cvc_colondb", "cvc_clinicdb", "endo", "kvasir")

IMAGE_METRICS = ("auroc", "ap", "f1_max")
PIXEL_METRICS = ("auroc", "aupro", "f1_max")

IMAGE: dict[str, tuple[float, float, float]] = {
    "mvtec_ad": (91.2, 96.0, 92.0),
    "visa": (88.5, 90.4, 84.8),
    "mpdd": (79.7, 84.5, 82.4),
    "ksdd": (98.1, 95.8, 93.2),
    "btad": (95.0, 98.4, 94.7),
    "dagm": (98.5, 94.3, 92.6),
    "dtd_synthetic": (95.5, 98.1, 94.3),
    "head_ct": (94.3, 93.9, 88.1),
    "brain_mri": (95.3, 96.7, 92.3),
    "br35h": (95.8, 96.0, 90.1),
}
"""AUROC, AP and F1-max of the images' scores."""

PIXEL: dict[str, tuple[float, float, float]] = {
    "mvtec_ad": (90.5, 87.1, 43.1),
    "visa": (95.4, 92.2, 33.6),
    "mpdd": (97.2, 92.6, 35.9),
    "ksdd": (98.5, 96.2, 53.0),
    "btad": (95.6, 86.1, 52.7),
    "dagm": (97.5, 95.2, 61.2),
    "dtd_synthetic": (99.0, 96.5, 67.5),
    "isic": (90.3, 82.3, 73.7),
    "cvc_colondb": (82.5, 74.8, 36.2),
    "cvc_clinicdb": (86.3, 72.1, 44.9),
    "endo": (84.5, 63.7, 49.2),
    "kvasir": (81.9, 47.8, 47.3),
}
"""AUROC, AUPRO (200 thresholds) and F1-max of the pixels."""

"""The industrial data sets: what they contain, what is allowed, whom to cite."""

from __future__ import annotations

from zerosight.data.layouts.dagm import DagmTree
from zerosight.data.layouts.info import DatasetInfo, Expected
from zerosight.data.layouts.ksdd import KsddTree
from zerosight.data.layouts.magnetic_tile import MagneticTileTree
from zerosight.data.layouts.mvtec import MvtecTree
from zerosight.data.layouts.pairs import Pairs
from zerosight.data.layouts.visa import VisaTree

_MVTEC = {
    "carpet": (28, 89),
    "grid": (21, 57),
    "leather": (32, 92),
    "tile": (33, 84),
    "wood": (19, 60),
    "bottle": (20, 63),
    "cable": (58, 92),
    "capsule": (23, 109),
    "hazelnut": (40, 70),
    "metal_nut": (22, 93),
    "pill": (26, 141),
    "screw": (41, 119),
    "toothbrush": (12, 30),
    "transistor": (60, 40),
    "zipper": (32, 119),
}
_VISA = {
    "candle": (100, 100),
    "capsules": (60, 100),
    "cashew": (50, 100),
    "chewinggum": (50, 100),
    "fryum": (50, 100),
    "macaroni1": (100, 100),
    "macaroni2": (100, 100),
    "pcb1": (100, 100),
    "pcb2": (100, 100),
    "pcb3": (101, 100),
    "pcb4": (101, 100),
    "pipe_fryum": (50, 100),
}
_MPDD = {
    "bracket_black": (32, 47),
    "bracket_brown": (26, 51),
    "bracket_white": (30, 30),
    "connector": (30, 14),
    "metal_plate": (26, 71),
    "tubes": (32, 69),
}
_BTAD = {"01": (21, 49), "02": (30, 200), "03": (400, 41)}
_DAGM = tuple(f"Class{number}" for number in range(1, 11))
_DTD = (
    "Woven_001",
    "Woven_127",
    "Woven_104",
    "Woven_068",
    "Woven_125",
    "Stratified_154",
    "Blotchy_099",
    "Marbled_078",
    "Perforated_037",
    "Mesh_114",
    "Fibrous_183",
    "Matted_069",
)

INDUSTRIAL = (
    DatasetInfo(
        name="mvtec_ad",
        categories=tuple(_MVTEC),
        layout=MvtecTree(tuple(_MVTEC)),
        expected=Expected((467, 467), (1258, 1258), _MVTEC),
        aliases=("mvtec_anomaly_detection", "mvtec", "mvtecad"),
        licence="CC BY-NC-SA 4.0",
        citation="Bergmann et al., MVTec AD: A Comprehensive Real-World Dataset for Unsupervised Anomaly "
        "Detection, CVPR 2019",
        source="https://www.mvtec.com/company/research/datasets/mvtec-ad",
    ),
    DatasetInfo(
        name="visa",
        categories=tuple(_VISA),
        layout=VisaTree(tuple(_VISA)),
        expected=Expected((962, 962), (1200, 1200), _VISA),
        aliases=("visa_20220922", "visa_pytorch"),
        licence="CC BY 4.0",
        citation="Zou et al., SPot-the-Difference Self-Supervised Pre-training for Anomaly Detection and "
        "Segmentation, ECCV 2022",
        source="https://github.com/amazon-science/spot-diff",
    ),
    DatasetInfo(
        name="mpdd",
        categories=tuple(_MPDD),
        layout=MvtecTree(tuple(_MPDD)),
        expected=Expected((176, 176), (282, 282), _MPDD),
        licence="CC BY-NC-SA 4.0",
        citation="Jezek et al., Deep learning-based defect detection of metal parts: evaluating current "
        "methods in complex conditions, ICUMT 2021",
        source="https://github.com/stepanje/MPDD",
    ),
    DatasetInfo(
        name="btad",
        categories=tuple(_BTAD),
        layout=MvtecTree(tuple(_BTAD)),
        expected=Expected((451, 451), (290, 290), _BTAD),
        aliases=("btech_dataset_transformed", "btech"),
        licence="CC BY-NC-SA 4.0",
        citation="Mishra et al., VT-ADL: A Vision Transformer Network for Image Anomaly Detection and "
        "Localization, ISIE 2021",
        source="https://avires.dimi.uniud.it/papers/btad/btad.zip",
    ),
    DatasetInfo(
        name="ksdd",
        categories=("electrical_commutators",),
        layout=KsddTree(),
        expected=Expected((286, 347), (52, 54)),
        aliases=("kolektorsdd", "kolektor", "sdd"),
        licence="CC BY-NC-SA 4.0",
        citation="Tabernik et al., Segmentation-Based Deep-Learning Approach for Surface-Defect Detection, "
        "Journal of Intelligent Manufacturing 2020",
        source="https://www.vicos.si/resources/kolektorsdd/",
    ),
    DatasetInfo(
        name="dagm",
        categories=_DAGM,
        layout=DagmTree(_DAGM),
        expected=Expected((6996, 6996), (1054, 1054)),
        aliases=("dagm2007", "dagm_kaggleupload"),
        citation="Wieler and Hahn, Weakly Supervised Learning for Industrial Optical Inspection, DAGM 2007",
        source="https://hci.iwr.uni-heidelberg.de/content/weakly-supervised-learning-industrial-optical-inspection",
    ),
    DatasetInfo(
        name="dtd_synthetic",
        categories=_DTD,
        layout=MvtecTree(_DTD),
        expected=Expected((357, 357), (947, 947)),
        aliases=("dtd",),
        citation="Aota et al., Zero-Shot Versus Many-Shot: Unsupervised Texture Anomaly Detection, WACV 2023",
        source="https://drive.google.com/drive/folders/10OyPzvI3H6llCZBxKxFlKWt1Pw1tkMK1",
    ),
    DatasetInfo(
        name="magnetic_tile",
        categories=("magnetic_tile",),
        layout=MagneticTileTree(),
        expected=Expected((952, 952), (392, 392)),
        mask_threshold=127,
        aliases=("magnetic_tile_defect_datasets.", "magnetic_tile_defect_datasets"),
        citation="Huang et al., Surface defect saliency of magnetic tile, The Visual Computer 2020",
        source="https://github.com/abin24/Magnetic-tile-defect-datasets.",
    ),
    DatasetInfo(
        name="neu_seg",
        categories=("hot_rolled_steel",),
        layout=Pairs(
            (
                ("train", "images/training", "annotations/training"),
                ("test", "images/test", "annotations/test"),
            )
        ),
        expected=Expected((0, 0), (840, 840)),
        aliases=("neu_seg_data",),
        citation="Dong et al., PGA-Net: Pyramid Feature Fusion and Global Context Attention Network for "
        "Automated Surface Defect Detection, IEEE Transactions on Industrial Informatics 2020",
        source="http://faculty.neu.edu.cn/songkechen/",
    ),
)

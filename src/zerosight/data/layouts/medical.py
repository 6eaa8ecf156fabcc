"""The medical data sets: what they contain, what is allowed, whom to cite."""

from __future__ import annotations

from zerosight.data.layouts.covid import CovidTree
from zerosight.data.layouts.head_ct import HeadCtTree
from zerosight.data.layouts.info import DatasetInfo, Expected
from zerosight.data.layouts.pairs import Pairs, YesNoTree

_IMAGES_MASKS = ("test", "images", "masks")
_ISIC = "ISBI2016_ISIC_Part1"

MEDICAL = (
    DatasetInfo(
        name="head_ct",
        categories=("brain",),
        layout=HeadCtTree(),
        expected=Expected((100, 100), (100, 100)),
        has_masks=False,
        aliases=("headct", "head_ct_hemorrhage"),
        citation="Kitamura, Head CT - hemorrhage, Kaggle 2018",
        source="https://www.kaggle.com/datasets/felipekitamura/head-ct-hemorrhage",
    ),
    DatasetInfo(
        name="brain_mri",
        categories=("brain",),
        layout=YesNoTree(),
        expected=Expected((98, 98), (155, 155)),
        has_masks=False,
        aliases=("brainmri", "brain_tumor_dataset", "brain_mri_images_for_brain_tumor_detection"),
        citation="Chakrabarty, Brain MRI Images for Brain Tumor Detection, Kaggle 2019",
        source="https://www.kaggle.com/datasets/navoneel/brain-mri-images-for-brain-tumor-detection",
    ),
    DatasetInfo(
        name="br35h",
        categories=("brain",),
        layout=YesNoTree(),
        expected=Expected((1500, 1500), (1500, 1500)),
        has_masks=False,
        aliases=("br35h_brain_tumor_detection_2020",),
        citation="Hamada, Br35H: Brain Tumor Detection 2020, Kaggle 2020",
        source="https://www.kaggle.com/datasets/ahmedhamada0/brain-tumor-detection",
    ),
    DatasetInfo(
        name="isic",
        categories=("skin",),
        layout=Pairs(
            (
                ("test", f"{_ISIC}_Test_Data", f"{_ISIC}_Test_GroundTruth"),
                ("train", f"{_ISIC}_Training_Data", f"{_ISIC}_Training_GroundTruth"),
                _IMAGES_MASKS,
            )
        ),
        expected=Expected((0, 0), (379, 379)),
        aliases=("isic2016", "isic_2016", "isbi2016", "isbi"),
        licence="CC0 1.0",
        citation="Gutman et al., Skin Lesion Analysis toward Melanoma Detection: A Challenge at ISBI 2016, "
        "arXiv:1605.01397",
        source="https://challenge.isic-archive.com/data/#2016",
    ),
    DatasetInfo(
        name="cvc_colondb",
        categories=("colon",),
        layout=Pairs((_IMAGES_MASKS,)),
        expected=Expected((0, 0), (380, 380)),
        aliases=("cvccolondb", "colondb"),
        citation="Tajbakhsh et al., Automated Polyp Detection in Colonoscopy Videos Using Shape and Context "
        "Information, IEEE Transactions on Medical Imaging 2015",
        source="http://mv.cvc.uab.es/projects/colon-qa/cvccolondb",
    ),
    DatasetInfo(
        name="cvc_clinicdb",
        categories=("colon",),
        layout=Pairs((_IMAGES_MASKS, ("test", "Original", "Ground Truth"))),
        expected=Expected((0, 0), (612, 612)),
        aliases=("cvcclinicdb", "clinicdb"),
        citation="Bernal et al., WM-DOVA maps for accurate polyp highlighting in colonoscopy, Computerized "
        "Medical Imaging and Graphics 2015",
        source="https://polyp.grand-challenge.org/CVCClinicDB/",
    ),
    DatasetInfo(
        name="kvasir",
        categories=("colon",),
        layout=Pairs((_IMAGES_MASKS,)),
        expected=Expected((0, 0), (1000, 1000)),
        mask_threshold=127,
        aliases=("kvasir_seg",),
        licence="research and education only; see source",
        citation="Jha et al., Kvasir-SEG: A Segmented Polyp Dataset, MMM 2020",
        source="https://datasets.simula.no/kvasir-seg/",
    ),
    DatasetInfo(
        name="endo",
        categories=("colon",),
        layout=Pairs((_IMAGES_MASKS,)),
        expected=Expected((0, 0), (200, 200)),
        aliases=("endotect", "endotect_2020", "endotect_2020_segmentation_test_dataset"),
        citation="Hicks et al., The EndoTect 2020 Challenge: Evaluation and Comparison of Classification, "
        "Segmentation and Inference Time for Endoscopy, ICPR 2020 Workshops",
        source="https://endotect.com/",
    ),
    DatasetInfo(
        name="tn3k",
        categories=("thyroid",),
        layout=Pairs(
            (
                ("test", "test-image", "test-mask"),
                ("train", "trainval-image", "trainval-mask"),
                _IMAGES_MASKS,
            )
        ),
        expected=Expected((0, 0), (614, 614)),
        citation="Gong et al., Multi-Task Learning for Thyroid Nodule Segmentation with Thyroid Region "
        "Prior, ISBI 2021",
        source="https://github.com/haifangong/TRFE-Net-for-thyroid-nodule-segmentation",
    ),
    DatasetInfo(
        name="covid_radiography",
        categories=("chest",),
        layout=CovidTree(),
        expected=Expected((1341, 10_192), (219, 10_973)),
        has_masks=False,
        aliases=("covid_19_radiography_dataset", "covid_19_radiography_database"),
        citation="Chowdhury et al., Can AI Help in Screening Viral and COVID-19 Pneumonia?, IEEE Access 2020",
        source="https://www.kaggle.com/datasets/tawsifurrahman/covid19-radiography-database",
    ),
)

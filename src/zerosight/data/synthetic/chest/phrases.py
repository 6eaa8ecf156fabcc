"""Phrases: how radiologists word each finding, and its absence.

Slots: ``{degree}`` mild, ``{size}`` small, ``{side}`` left, ``{where}`` in the left lower lobe. A slot of
which nothing is known is left empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wording:
    """The words for one finding.

    Attributes:
        one: Noun phrases in the singular, or of a mass noun.
        both: Noun phrases in the plural, for both sides; empty where the singular serves.
        absent: Nouns that are negated.
        clear: Whole sentences that say it is not there.
        seen: Part of a regular expression that tells a mention of it.
    """

    one: tuple[str, ...]
    both: tuple[str, ...]
    absent: tuple[str, ...]
    clear: tuple[str, ...]
    seen: str


WORDINGS: Mapping[str, Wording] = {
    "atelectasis": Wording(
        (
            *(
                "{degree} atelectasis{where}",
                "{degree} {side} basilar atelectasis",
                "subsegmental atelectasis{where}",
            ),
            *("linear opacity{where} compatible with atelectasis", "volume loss and atelectasis{where}"),
        ),
        ("bibasilar opacities compatible with atelectasis", "bands of bibasilar atelectasis"),
        ("atelectasis", "lobar atelectasis"),
        ("The lungs are well expanded without atelectasis.",),
        "atelecta",
    ),
    "cardiomegaly": Wording(
        (
            *("{degree} cardiomegaly", "{degree} enlargement of the heart", "an enlarged heart"),
            *(
                "{degree} enlargement of the cardiac silhouette",
                "an increased cardiothoracic ratio with cardiomegaly",
            ),
        ),
        (),
        ("cardiomegaly", "cardiac enlargement"),
        (
            *("The heart is normal in size.", "Heart size is within normal limits.", "Heart size is normal."),
            *("The cardiac silhouette is normal in size.", "The heart is not enlarged."),
        ),
        "cardiomegaly|enlargement of the heart|enlarged heart|cardiac silhouette|cardiac enlargement|heart",
    ),
    "consolidation": Wording(
        (
            *("{degree} consolidation{where}", "dense consolidation{where} with air bronchograms"),
            *(
                "airspace consolidation{where}",
                "confluent airspace opacity{where} representing consolidation",
            ),
        ),
        ("bilateral consolidations", "areas of airspace consolidation in both lungs"),
        ("consolidation", "focal consolidation", "airspace consolidation"),
        ("The lungs are clear of focal consolidation.",),
        "consolidation",
    ),
    "edema": Wording(
        (
            *("{degree} pulmonary edema", "{degree} interstitial edema with Kerley B lines"),
            *("perihilar haze with vascular congestion, consistent with {degree} pulmonary edema",),
            *("{degree} cardiogenic edema with indistinct vessels",),
        ),
        ("bilateral perihilar opacities consistent with {degree} pulmonary edema",),
        ("pulmonary edema", "edema", "overt edema"),
        ("Pulmonary vascularity is normal without edema.",),
        "edema",
    ),
    "emphysema": Wording(
        (
            *("{degree} emphysema", "{degree} emphysema with hyperinflation and flattened diaphragms"),
            *("hyperlucent lungs consistent with {degree} emphysema", "{degree} bullous emphysema"),
        ),
        (),
        ("emphysema", "bullous emphysema"),
        ("Lung volumes are normal without emphysema.",),
        "emphysema",
    ),
    "enlarged cardiomediastinum": Wording(
        (
            *("{degree} widening of the mediastinum", "an enlarged mediastinum"),
            *("a widened superior mediastinum", "{degree} enlargement of the mediastinal contour"),
        ),
        (),
        ("mediastinal widening", "widening of the mediastinum"),
        (
            *("The mediastinum is unremarkable.", "Mediastinal contours are normal."),
            *("The mediastinal contour is within normal limits.",),
        ),
        "(?:cardio)?mediastin",
    ),
    "fibrosis": Wording(
        (
            *("{degree} pulmonary fibrosis", "coarse reticular markings consistent with {degree} fibrosis"),
            *("{degree} interstitial fibrosis with a honeycomb pattern", "chronic fibrotic change{where}"),
        ),
        (),
        ("fibrosis", "fibrotic change"),
        ("There are no chronic fibrotic changes.",),
        "fibrosis|fibrotic",
    ),
    "fracture": Wording(
        (
            *(
                "a displaced {side} rib fracture",
                "an acute {side} rib fracture",
                "a fracture of a {side} rib",
            ),
            *("a {side} rib fracture with displaced ends",),
        ),
        ("bilateral rib fractures",),
        ("rib fracture", "displaced rib fracture", "acute fracture"),
        ("The osseous structures are intact without fracture.", "Bony structures are intact."),
        "fracture|bony structures",
    ),
    "hernia": Wording(
        (
            *("a {size} hiatal hernia", "a {size} retrocardiac hiatal hernia with an air-fluid level"),
            *("a {size} retrocardiac hernia of the stomach",),
        ),
        (),
        ("hiatal hernia", "hernia"),
        (),
        "hernia",
    ),
    "infiltration": Wording(
        (
            *("{degree} infiltrate{where}", "an ill-defined opacity{where}, an infiltrate"),
            *("{degree} infiltration{where}", "a streaky infiltrate{where}"),
        ),
        ("{degree} bilateral infiltrates", "patchy bilateral infiltrates"),
        ("infiltrate", "focal infiltrate"),
        ("The lungs are free of focal infiltrates.",),
        "infiltrat",
    ),
    "lung lesion": Wording(
        ("a {side} lung lesion", "a focal lesion{where}", "a pulmonary lesion{where}"),
        ("bilateral lung lesions",),
        ("lung lesion", "focal lung lesion", "suspicious pulmonary lesion"),
        (),
        "lesion|nodule|mass",
    ),
    "lung opacity": Wording(
        (
            *("a hazy opacity{where}", "{degree} airspace opacity{where}", "a focal opacity{where}"),
            *("{degree} opacification{where}", "a vague opacity{where}"),
        ),
        ("hazy bilateral opacities", "{degree} bilateral airspace opacities"),
        ("focal opacity", "airspace opacity", "focal airspace opacity", "suspicious pulmonary opacity"),
        ("The lungs are free of focal airspace opacity.",),
        "opacit|opacific",
    ),
    "mass": Wording(
        (
            *(
                "a {size} mass{where}",
                "a lobulated mass{where}",
                "a {side} lung mass",
                "a rounded mass{where}",
            ),
            *("a large {side} pulmonary mass suspicious for malignancy",),
        ),
        ("bilateral lung masses",),
        ("mass", "suspicious mass", "pulmonary mass"),
        (),
        "mass",
    ),
    "nodule": Wording(
        (
            *("a {size} nodule{where}", "a well-defined nodule{where}", "a {side} pulmonary nodule"),
            *("a rounded nodule{where}", "a solitary pulmonary nodule{where}"),
        ),
        ("{size} bilateral pulmonary nodules", "multiple bilateral lung nodules"),
        ("nodule", "pulmonary nodule", "suspicious nodule"),
        (),
        "nodule",
    ),
    "pleural effusion": Wording(
        (
            *("a {size} {side} pleural effusion", "a {side} effusion", "{size} {side} pleural fluid"),
            *("blunting of the {side} costophrenic angle consistent with a {size} pleural effusion",),
            *("a {size} {side} effusion with a meniscus",),
        ),
        ("{size} bilateral pleural effusions", "{size} bilateral effusions", "bilateral pleural effusions"),
        ("pleural effusion", "effusion", "large pleural effusion", "pleural fluid"),
        ("The costophrenic angles are sharp.", "No blunting of the costophrenic angles."),
        "effusion|pleural fluid|costophrenic",
    ),
    "pleural other": Wording(
        ("{side} pleural plaque", "calcified {side} pleural plaque", "a {side} pleural abnormality"),
        ("bilateral pleural plaques",),
        ("pleural plaque", "other pleural abnormality"),
        (),
        "plaque|pleural abnormal|pleural thicken|pleural scar",
    ),
    "pleural thickening": Wording(
        (
            *(
                "{degree} {side} pleural thickening",
                "{side} pleural thickening{rim}",
                "a band of {side} pleural thickening",
            ),
        ),
        ("{degree} bilateral pleural thickening", "bilateral pleural thickening{rim}"),
        ("pleural thickening",),
        (),
        "pleural thickening",
    ),
    "pneumonia": Wording(
        (
            *("{degree} pneumonia{where}", "patchy airspace opacity{where} consistent with pneumonia"),
            *("an airspace opacity{where} compatible with pneumonia", "{where_first} pneumonia"),
            *("an ill-defined opacity{where} due to pneumonia",),
        ),
        (
            *("bilateral patchy opacities consistent with pneumonia", "multifocal opacities of pneumonia"),
            *("patchy opacities in both lungs compatible with pneumonia",),
        ),
        ("pneumonia", "focal pneumonia"),
        (),
        "pneumonia",
    ),
    "pneumothorax": Wording(
        (
            *("a {size} {side} pneumothorax", "a {size} {side} apical pneumothorax", "a {side} pneumothorax"),
            *("a {size} {side} pneumothorax with a visible pleural line",),
        ),
        ("{size} bilateral pneumothoraces",),
        ("pneumothorax", "visible pneumothorax"),
        (),
        "pneumothora",
    ),
    "support devices": Wording(
        (
            *("a {device} in place", "an indwelling {device}", "a {device} in expected position"),
            *("a {device} in unchanged position",),
        ),
        (),
        ("support device", "indwelling line or tube"),
        (),
        r"support device|tube\b|catheter|pacemaker",
    ),
    "covid-19": Wording(
        (
            *("multifocal peripheral ground-glass opacity typical of COVID-19 pneumonia",),
            *("bilateral peripheral airspace opacity consistent with {degree} COVID-19 pneumonia",),
        ),
        (
            *("peripheral ground-glass opacities in both lungs typical of COVID-19 pneumonia",),
            *("bilateral lower lung opacities compatible with {degree} COVID-19 pneumonia",),
        ),
        ("COVID-19", "COVID-19 pneumonia"),
        (),
        "covid",
    ),
    "tuberculosis": Wording(
        (
            *(
                "a cavitary opacity{where} consistent with tuberculosis",
                "cavitary tuberculosis with opacity{where}",
            ),
            *("{side} upper lobe opacity with cavitation, consistent with active tuberculosis",),
        ),
        ("bilateral upper lobe opacities with cavitation, consistent with tuberculosis",),
        ("tuberculosis", "active tuberculosis"),
        (),
        "tubercul",
    ),
}
"""The words for every finding but ``no finding``."""

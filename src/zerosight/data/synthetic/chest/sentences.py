"""Sentences: what reports say beside the findings, and the words for degree, size and device."""

from __future__ import annotations

from zerosight.data.chest.findings import NO_FINDING

NORMAL_IMPRESSIONS = (
    *(
        "No acute cardiopulmonary abnormality.",
        "No acute cardiopulmonary disease.",
        "Normal chest radiograph.",
    ),
    *("No acute disease.", "No active disease.", "No evidence of acute cardiopulmonary process."),
    *("No acute cardiopulmonary findings.", "Normal chest.", "Negative chest."),
    *(
        "No acute pulmonary findings.",
        "Unremarkable chest radiograph.",
        "No radiographic evidence of disease.",
    ),
)

CLEAR_LUNGS = (
    *("The lungs are clear.", "Both lungs are clear and expanded.", "Lungs are clear bilaterally."),
    *("The lungs appear clear.", "The lungs are clear without focal abnormality."),
)

LUNG_FINDINGS = (
    *(
        "atelectasis",
        "consolidation",
        "edema",
        "infiltration",
        "lung opacity",
        "lung lesion",
        "mass",
        "nodule",
    ),
    *("pneumonia", "fibrosis", "covid-19", "tuberculosis", "emphysema"),
)
"""What clear lungs do not have."""

ASIDES = (
    *(
        "The trachea is midline.",
        "Mild degenerative changes of the thoracic spine.",
        "The upper abdomen is unremarkable.",
    ),
    *(
        "The visualized soft tissues are unremarkable.",
        "The aorta is mildly tortuous.",
        "The patient is slightly rotated.",
    ),
    *(
        "Comparison is made with the prior study.",
        "No free air beneath the diaphragm.",
        "Inspiration is adequate.",
    ),
    *(
        "Mild scoliosis of the thoracic spine.",
        "Degenerative change of the shoulders.",
        "The hila are unremarkable.",
    ),
)
"""True of any chest, so that they say nothing."""

VIEWS = {
    True: ("AP portable view of the chest.", "Supine AP radiograph of the chest.", "Single AP view."),
    False: (
        "PA view of the chest.",
        "Frontal radiograph of the chest.",
        "Upright PA radiograph of the chest.",
    ),
}

DEGREES = {
    "mild": ("mild", "minimal", "mild"),
    "moderate": ("moderate",),
    "severe": ("severe", "marked", "extensive"),
}
SIZES = {"mild": ("small", "small", "tiny"), "moderate": ("moderate", "moderate-sized"), "severe": ("large",)}
DEVICES = {
    "tube": ("endotracheal tube", "endotracheal tube and enteric tube"),
    "line": ("central venous catheter", "right atrial catheter", "central line catheter"),
    "pacemaker": ("pacemaker", "cardiac pacemaker with leads"),
    "drain": ("chest tube", "pleural chest tube"),
}

CANNOT_BE_FALSE = frozenset({NO_FINDING, "support devices", "covid-19", "tuberculosis", "pleural other"})
"""Findings whose absence reports seldom mention."""

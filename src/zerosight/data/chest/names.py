"""Names of chest X-ray findings: one canonical spelling for what every data set spells in its own way."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from zerosight.errors import ConfigError

NO_FINDING = "no finding"
"""The name for an image that shows none of the diseases."""

NO_DISEASE = (NO_FINDING, "support devices")
"""Labels whose presence leaves a chest without a disease."""

CHESTXRAY14 = (
    *("atelectasis", "cardiomegaly", "pleural effusion", "infiltration", "mass", "nodule", "pneumonia"),
    *("pneumothorax", "consolidation", "edema", "emphysema", "fibrosis", "pleural thickening", "hernia"),
)
"""The 14 diseases of ChestX-ray14, in the order of its tables."""

CHEXPERT14 = (
    *(NO_FINDING, "enlarged cardiomediastinum", "cardiomegaly", "lung opacity", "lung lesion", "edema"),
    *("consolidation", "pneumonia", "atelectasis", "pneumothorax", "pleural effusion", "pleural other"),
    *("fracture", "support devices"),
)
"""The 14 observations of CheXpert, in the order of its tables."""

CHEXPERT5 = ("atelectasis", "cardiomegaly", "consolidation", "edema", "pleural effusion")
"""The five observations that CheXpert's test set is scored on."""

FINDINGS = tuple(dict.fromkeys([*CHESTXRAY14, *CHEXPERT14, "covid-19", "tuberculosis"]))
"""Every finding that this package has its own words for."""

IMPLIES: Mapping[str, tuple[str, ...]] = {
    "pneumonia": ("lung opacity",),
    "consolidation": ("lung opacity",),
    "infiltration": ("lung opacity",),
    "nodule": ("lung lesion",),
    "mass": ("lung lesion",),
    "atelectasis": ("lung opacity",),
    "edema": ("lung opacity",),
    "covid-19": ("pneumonia", "lung opacity"),
    "tuberculosis": ("lung opacity",),
}
"""Per finding, those that are present whenever it is."""

_ALIASES = {
    "normal": NO_FINDING,
    "no findings": NO_FINDING,
    "nofinding": NO_FINDING,
    "effusion": "pleural effusion",
    "effusions": "pleural effusion",
    "pleural effusions": "pleural effusion",
    "oedema": "edema",
    "pulmonary edema": "edema",
    "pulmonary oedema": "edema",
    "infiltrate": "infiltration",
    "infiltrates": "infiltration",
    "pulmonary fibrosis": "fibrosis",
    "pulmonary nodule": "nodule",
    "lung nodule": "nodule",
    "pulmonary mass": "mass",
    "lung mass": "mass",
    "hiatal hernia": "hernia",
    "airspace opacity": "lung opacity",
    "opacity": "lung opacity",
    "fractures": "fracture",
    "support device": "support devices",
    "covid": "covid-19",
    "covid19": "covid-19",
    "covid 19": "covid-19",
    "tb": "tuberculosis",
}


def canonical(name: str) -> str:
    """Return the canonical spelling of a finding; an unknown name in lower case with plain spaces.

    >>> canonical("Pleural_Thickening"), canonical("Effusion"), canonical("Situs  inversus")
    ('pleural thickening', 'pleural effusion', 'situs inversus')
    """
    plain = " ".join(name.replace("_", " ").casefold().split())
    return _ALIASES.get(plain, plain)


def check_labels(names: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """Return the canonical names in their order.

    Args:
        names: The findings asked for, in any spelling that :func:`canonical` understands.
        known: The findings there are, canonical.

    Raises:
        ConfigError: The list is empty, names one finding twice, or names one that is not known.

    >>> check_labels(["Effusion", "Edema"], FINDINGS)
    ('pleural effusion', 'edema')
    """
    there = tuple(known)
    given: dict[str, str] = {}
    for name in names:
        label = canonical(name)
        if label not in there:
            raise ConfigError(f"finding {name[:80]!r} is not known{_nearest(label, there)}")
        if label in given:
            raise ConfigError(
                f"findings {given[label][:80]!r} and {name[:80]!r} both mean {label!r}; leave one out"
            )
        given[label] = name
    if not given:
        raise ConfigError(f"no finding is named; name at least one, such as {', '.join(there[:3])}")
    return tuple(given)


def _nearest(label: str, known: tuple[str, ...]) -> str:
    """Return a hint that names what was probably meant, else what there is."""
    near = difflib.get_close_matches(label, known, n=3)
    if near:
        return f"; did you mean {' or '.join(map(repr, near))}?"
    some = ", ".join(known[:20])
    return f"; known are {some}{' …' if len(known) > 20 else ''}"

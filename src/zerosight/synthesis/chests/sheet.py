"""Sheet: one picture that shows a phantom of every common finding, for people to look at."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from zerosight.data.chest.names import NO_FINDING
from zerosight.synthesis.chests.phantom import make_phantom
from zerosight.synthesis.chests.plan import Finding

_SHOWN: tuple[Finding | None, ...] = (
    *(None, Finding("pneumonia", "right", "middle", 0.8, "lobar")),
    *(Finding("pleural effusion", "left", "lower", 0.55, "meniscus"),),
    *(Finding("pneumothorax", "right", "apical", 0.6), Finding("cardiomegaly", "middle", "all", 0.7)),
    *(Finding("edema", "both", "all", 0.8, "haze"), Finding("nodule", "left", "upper", 0.6)),
    *(Finding("mass", "right", "upper", 0.5), Finding("atelectasis", "left", "lower", 0.7, "collapse")),
    *(Finding("emphysema", "both", "all", 0.9), Finding("covid-19", "both", "lower", 0.7)),
    *(Finding("support devices", "middle", "all", 0.5, "pacemaker"),),
)
_COLUMNS = 4


def contact_sheet(seed: int = 0, size: int = 240) -> UInt8[np.ndarray, "height width"]:
    """Return twelve phantoms, each under its name: one without a finding and eleven with one.

    Args:
        seed: Start of all chance.
        size: Height and width of each phantom in pixels, 64 to 2048.

    Raises:
        ConfigError: A number is out of range.
    """
    title = round(size * 0.09)
    rows = -(-len(_SHOWN) // _COLUMNS)
    sheet = Image.new("L", (_COLUMNS * size, rows * (size + title)))
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(title * 0.7)
    for number, finding in enumerate(_SHOWN):
        left, top = number % _COLUMNS * size, number // _COLUMNS * (size + title)
        findings = [] if finding is None else [finding]
        sheet.paste(Image.fromarray(make_phantom(seed, number, size, findings).image), (left, top + title))
        name = NO_FINDING if finding is None else finding.name
        draw.text((left + size / 2, top + title / 2), name, fill=230, font=font, anchor="mm")
    return np.asarray(sheet).copy()

"""Who reads the pages: enough contrast in both schemes, scores on paper, keys that scroll."""

from __future__ import annotations

import re

import pytest

from zerosight.files import packaged

STYLE = packaged("report", "style.html.j2").read_text()
READ = {"soft": ("page", "card", "well"), "bad": ("bad-well", "card", "page"), "good": ("good-well", "card")}


def colours(block: str) -> dict[str, tuple[float, float, float]]:
    found = re.findall(r"--([\w-]+): #(\w{6});", block)
    return {name: tuple(int(text[i : i + 2], 16) / 255 for i in (0, 2, 4)) for name, text in found}


def contrast(one: tuple[float, ...], two: tuple[float, ...]) -> float:
    """Return the ratio of WCAG 2: (lighter + 0.05) / (darker + 0.05), of relative luminances."""

    def luminance(colour: tuple[float, ...]) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
        return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_words_can_be_read_on_what_they_stand_on(scheme: int):
    found = colours(re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)[scheme])
    for word, grounds in READ.items():
        for ground in grounds:
            assert contrast(found[word], found[ground]) >= 4.5, (word, ground)


def test_paper_keeps_colours_and_is_light():
    assert "print-color-adjust: exact" in STYLE.split("@media print")[1]
    assert "@media screen and (prefers-color-scheme: dark)" in STYLE


@pytest.mark.parametrize("of", ["anomalies", "findings"])
def test_tables_scroll_by_keys_and_lists_hold_terms_alone(of: str):
    page = packaged("evaluate", of, "evaluation.html.j2").read_text()
    assert page.count('<div class="metrics"') == page.count('class="metrics" tabindex="0" role="region"') > 0
    for block in re.findall(r"<dl[^>]*>(.*?)</dl>", page, re.DOTALL):
        assert set(re.findall(r"<(\w+)", block)) <= {"div", "dt", "dd", "small"}

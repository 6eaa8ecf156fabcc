"""The site's menu names every page; `make docs` builds it and follows every link."""

from __future__ import annotations

import re
from pathlib import Path

from blocks import PAGES, ROOT

MADE = {"first-steps.md", "reference/commands.md", "contributing.md", "changelog.md", "security.md"}
"""Pages that tools/docs_site.py makes."""


def test_every_page_is_in_the_menu_and_every_entry_has_a_page():
    docs = ROOT / "docs"
    pages = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    told = set(re.findall(r"([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.M))
    hidden = {page for page in pages if page.startswith("datasets/")}
    assert told - hidden == (pages | MADE) - hidden


def test_every_link_leads_to_a_page_and_a_heading():
    """Links in the repository; the site follows its own."""
    lost = []
    for page in PAGES:
        text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        for target in re.findall(r"(?<!`)\]\(([^)\s]+)\)", text):
            path, _, heading = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            if re.match(r"[a-z]+:", target) or str(file).removeprefix(f"{ROOT}/docs/") in MADE:
                continue
            if not file.exists() or (heading and heading not in headings(file)):
                lost.append(f"{page.relative_to(ROOT)}: {target}")
    assert not lost


def headings(page: Path) -> set[str]:
    """Return what a page's headings are called in a link."""
    found = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    plain = [re.sub(r"[`*]|\[|\]\([^)]*\)", "", heading) for heading in found]
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in plain}

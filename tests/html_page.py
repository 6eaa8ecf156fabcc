"""A page as tests look at it: its tags, what a browser would show, what it refers to, what stays open."""

from __future__ import annotations

from collections.abc import Sequence
from html.parser import HTMLParser

_NEVER_CLOSED = ("meta", "link", "img", "input")


class Page(HTMLParser):
    """A parsed page.

    Args:
        text: The page.
        unclosed: Tags that the page need not close; every other has to be, in its turn.

    Attributes:
        tags: Names and attributes, in the page's order.
        texts: What a browser would show, piece by piece.
        open: Tags that are still open at the end.
    """

    def __init__(self, text: str, unclosed: Sequence[str] = ()) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self._unclosed = unclosed
        self.feed(text)

    @property
    def text(self) -> str:
        """What a browser would show."""
        return "".join(self.texts)

    @property
    def addresses(self) -> list[str]:
        """What the page refers to."""
        return [value for _, attrs in self.tags for name in ("src", "href") if (value := attrs.get(name))]

    def all(self, tag: str, key: str = "") -> list[dict[str, str | None]]:
        """Return the attributes of every such tag that has the key."""
        return [attrs for name, attrs in self.tags if name == tag and (not key or key in attrs)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag that opens."""
        self.tags.append((tag, dict(attrs)))
        if tag not in _NEVER_CLOSED:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag that closes itself."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Close a tag, which has to be the last one opened."""
        while self.open[-1] in self._unclosed and self.open[-1] != tag:
            self.open.pop()
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Collect text that is shown."""
        if not (self.open and self.open[-1] in ("script", "style")):
            self.texts.append(data)

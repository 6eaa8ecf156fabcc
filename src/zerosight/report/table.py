"""Table: the one form of every table that people read, in Markdown, in a terminal and on a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zerosight.errors import printable
from zerosight.report.cells import Cell, escaped

if TYPE_CHECKING:
    import rich.table
    from markupsafe import Markup
    from rich.text import Text

TableRow = tuple["Cell | str", ...]
"""A text, or a value with what is to be known of it, per column."""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns with names, and rows of as many cells.

    Attributes:
        columns: Their names.
        rows: A text, or a value with what is to be known of it, per column.
        title: What the table shows.
        note: What to know of it, below it.
        words: Columns that hold words and begin at the left; the others end at the right. None: all.
        accents: Columns that a terminal shows in a colour of their own.
    """

    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    title: str = ""
    note: str = ""
    words: tuple[int, ...] | None = (0,)
    accents: tuple[int, ...] = ()

    def markdown(self, heading: str = "", escape: bool = True) -> str:
        """Return the table as Markdown, its note below it.

        Args:
            heading: Marks of a heading, such as ``##``, to put the title above it; without, it is left out.
            escape: Whether texts are somebody else's, and what Markdown would read in them is to stay text.

        >>> print(Table(("a", "b"), (("x_y", "1"),), "Sums").markdown("##"))
        ## Sums
        <BLANKLINE>
        | a | b |
        |---|---:|
        | x\\_y | 1 |
        """
        text = escaped if escape else str
        lines = [[text(name) for name in self.columns]]
        lines += [[str(cell) if isinstance(cell, Cell) else text(cell) for cell in row] for row in self.rows]
        body = ["| " + " | ".join(line) + " |" for line in lines]
        places = range(len(self.columns))
        body.insert(1, "|" + "".join("---|" if self._is_words(place) else "---:|" for place in places))
        above = [f"{heading} {text(self.title)}", ""] if heading else []
        return "\n".join([*above, *body, *(["", text(self.note)] if self.note else [])])

    def rich(self) -> rich.table.Table:
        """Return the table for a terminal; below a value stands its interval, or else its error."""
        from rich.box import SIMPLE_HEAD
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable(
            title=self.title or None,
            title_justify="left",
            caption=self.note or None,
            caption_justify="left",
            box=SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
            show_edge=False,
        )
        for place, name in enumerate(self.columns):
            style = "cyan" if place in self.accents else None
            if self._is_words(place):
                table.add_column(Text(printable(name)), overflow="fold", style=style)
            else:
                table.add_column(Text(printable(name)), justify="right", no_wrap=True, style=style)
        for row in self.rows:
            table.add_row(*map(_shown, row))
        return table

    def html(self) -> Markup:
        """Return the table for a page; the title is read aloud, and a hint says why a value is missing."""
        from markupsafe import Markup

        from zerosight.report.page import environment

        return Markup(environment().get_template("table.html.j2").render(table=self))

    def _is_words(self, place: int) -> bool:
        return self.words is None or place in self.words


def _shown(cell: Cell | str) -> Text:
    from rich.text import Text

    if isinstance(cell, str):
        return Text(printable(cell))
    small = cell.interval or cell.error.strip()
    return Text.assemble(cell.value, (f"\n{small}" if small else "", "dim"))

"""Pending."""

import typer

app = typer.Typer()


def benchmark() -> None:
    """Pending."""

"""Pending."""
import typer
app = typer.Typer()
def data() -> None:
    """Pending."""

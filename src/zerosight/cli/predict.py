"""Pending."""
import typer
app = typer.Typer()
def predict() -> None:
    """Pending."""

"""Pending."""
import typer
app = typer.Typer()
def calibrate() -> None:
    """Pending."""

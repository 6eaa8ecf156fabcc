"""``zerosight models``."""

from __future__ import annotations

from typing import Annotated

import typer

from zerosight.cli.console import messages, print_json


def models(
    name: Annotated[str | None, typer.Argument(help="a model, to see its card")] = None,
    backbones: Annotated[bool, typer.Option("--backbones", help="list CLIP architectures")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """List the models that come with zerosight, or show one's card."""
    from zerosight.models.card import render
    from zerosight.models.catalog import card_of, shipped_models

    if backbones:
        import open_clip

        names = ["lite", "tiny", "paper", *open_clip.list_models()]
        if as_json:
            print_json(names)
        else:
            typer.echo("\n".join(names))
        return
    cards = [card_of(name)] if name else [card_of(folder) for folder in shipped_models().values()]
    if as_json:
        print_json([card.model_dump(mode="json") for card in cards])
    elif name:
        typer.echo(render(cards[0]))
    else:
        for card in cards:
            messages.print(f"[bold]{card.name}[/]  {card.architecture}, {card.licence}")

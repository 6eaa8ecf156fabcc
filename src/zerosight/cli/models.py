"""``zerosight models``."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from zerosight.cli.console import messages, print_json, refuse
from zerosight.errors import ConfigError, printable


def models(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]",
            help="a model, to see its card; or push MODEL OWNER/NAME; or pull hf://OWNER/NAME[@REVISION]",
        ),
    ] = None,
    backbones: Annotated[bool, typer.Option("--backbones", help="list CLIP architectures")] = False,
    private: Annotated[
        bool, typer.Option("--private", help="push: a repository that is made is private")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """List the models that come with zerosight, show one's card, or exchange models with a hub.

    Examples:

      zerosight models vip2clip-lite

      zerosight models push my-model OWNER/NAME

      zerosight models pull hf://OWNER/NAME@REVISION
    """
    if words and words[0] in ("push", "pull"):
        _exchange(words[0], words[1:], private, as_json)
        return
    refuse("models that are not pushed", private=private or None)
    if backbones and words:
        raise ConfigError("--backbones: lists them all; leave the model's name out")
    if words and len(words) > 1:
        raise ConfigError(f"{len(words)} models are named; name one, or use push or pull")
    name = words[0] if words else None
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
        typer.echo(printable(render(cards[0])))
    else:
        for card in cards:
            rest = printable(f"  {card.architecture}, {card.licence}")
            messages.print(Text.assemble((printable(card.name), "bold"), rest))


def _exchange(way: str, names: list[str], private: bool, as_json: bool) -> None:
    """Publish a model folder, or fetch a model, and say where it is.

    Raises:
        ConfigError: The names are not those that the way needs.
    """
    from zerosight.models.hub import SCHEME, fetch, pinned, push

    if len(names) != (2 if way == "push" else 1):
        form = "push MODEL OWNER/NAME" if way == "push" else "pull hf://OWNER/NAME[@REVISION]"
        raise ConfigError(f"zerosight models {form}: got {' '.join(names) or 'no name'}")
    if way == "push":
        done = {"model": push(names[0], names[1], private=private)}
    else:
        refuse("models that are pulled", private=private or None)
        wanted = SCHEME + names[0].removeprefix(SCHEME)
        done = {"model": pinned(wanted), "folder": str(fetch(wanted))}
    if as_json:
        print_json(done)
        return
    for key, value in done.items():
        messages.print(f"{key}: {value}", soft_wrap=True)
    messages.print(f"next: zerosight predict PHOTOS --model {done['model']} --out results", soft_wrap=True)

"""``zerosight import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zerosight.cli.console import messages, print_json

app = typer.Typer(help="Convert published checkpoints to model folders.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep the model's name as a word of the command."""


@app.command()
def vip2clip(
    checkpoint: Annotated[Path, typer.Argument(help="the published .pth file")],
    out: Annotated[Path, typer.Option(help="the model folder to write")],
    backbone: Annotated[
        str, typer.Option(help="the CLIP it was trained on: 'paper', a file, a folder, or MODEL@WEIGHTS")
    ] = "paper",
    image_size: Annotated[int | None, typer.Option(help="input size in pixels")] = None,
    blocks: Annotated[str | None, typer.Option(help="tapped blocks, such as 6,12,18,24")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the card as JSON")] = False,
) -> None:
    """Convert a published ViP²-CLIP checkpoint, reading tensors only: no code in it is run.

    Example: zerosight import vip2clip epoch_10.pth --backbone ViT-L-14-336px.pt --image-size 518 --out paper
    """
    from zerosight.backbones.build import build_encoder
    from zerosight.backbones.config import parse_backbone
    from zerosight.errors import ConfigError
    from zerosight.files import sha256
    from zerosight.models.card import ModelCard
    from zerosight.models.folder import save_model
    from zerosight.models.vip2clip.published import import_published

    config = parse_backbone(backbone, image_size)
    if blocks:
        try:
            chosen = tuple(int(block) for block in blocks.split(","))
        except ValueError:
            raise ConfigError(f"blocks: should be numbers such as 6,12,18,24, got '{blocks}'") from None
        config = config.model_copy(update={"blocks": chosen})
    model, notes = import_published(checkpoint, build_encoder(config))
    card = ModelCard(
        name=out.name,
        backbone=config,
        licence="that of the published checkpoint",
        notes=(f"imported from {checkpoint.name}, SHA-256 {sha256(checkpoint)}", *notes),
    )
    card = save_model(model, card, out)
    if as_json:
        print_json(card.model_dump(mode="json"))
        return
    for note in card.notes:
        messages.print(f"- {note}")
    messages.print(f"wrote {out}; thresholds are not set: zerosight calibrate NORMAL_IMAGES --model {out}")

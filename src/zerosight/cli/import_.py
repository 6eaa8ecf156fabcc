"""``zerosight import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zerosight.cli.console import messages, print_json
from zerosight.cli.options import AsJson

app = typer.Typer(
    help="Convert published checkpoints to model folders, and corrected annotations to manifests.",
    no_args_is_help=True,
)
File = Annotated[Path, typer.Argument(help="the JSON file that the tool exported")]
Images = Annotated[Path, typer.Option(help="the folder that the images' names are relative to")]
Corrected = Annotated[Path, typer.Option("-o", "--out", help="folder for manifest.jsonl and masks/")]
Split = Annotated[str, typer.Option(help="of all rows")]


@app.callback()
def _group() -> None:
    """Keep the model's name as a word of the command."""


@app.command()
def coco(file: File, images: Images, out: Corrected, split: Split = "train", as_json: AsJson = False) -> None:
    """Turn corrected COCO annotations into masks and a manifest to train, calibrate and evaluate with.

    Example: zerosight import coco corrected.json --images photos --out corrected
    """
    from zerosight.integrations.labels import import_coco

    _tell_manifest(import_coco(file, images, out, split), as_json)


@app.command("label-studio")
def label_studio(
    file: File, images: Images, out: Corrected, split: Split = "train", as_json: AsJson = False
) -> None:
    """Likewise of what Label Studio exported as JSON; tasks that nobody annotated are left out.

    Example: zerosight import label-studio export.json --images photos --out corrected
    """
    from zerosight.integrations.labels import import_label_studio

    _tell_manifest(import_label_studio(file, images, out, split), as_json)


def _tell_manifest(path: Path, as_json: bool) -> None:
    """Say how many images there are, and what to do with them."""
    from zerosight.data.manifest import read_manifest

    found = [record.label for record in read_manifest(path).records()]
    counts = {"images": len(found), "anomalous": found.count(1)}
    if as_json:
        print_json({"manifest": str(path)} | counts)
        return
    messages.print(f"{path}: {counts['images']} images, {counts['anomalous']} anomalous", soft_wrap=True)
    messages.print(f"next: zerosight train vip2clip {path} --out my-model", soft_wrap=True)


@app.command()
def vip2clip(
    checkpoint: Annotated[Path, typer.Argument(help="the published .pth file")],
    out: Annotated[Path, typer.Option("-o", "--out", help="the model folder to write")],
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
    from zerosight.models.vip2clip.card import Vip2ClipCard
    from zerosight.models.vip2clip.folder import save_model
    from zerosight.models.vip2clip.published import import_published

    config = parse_backbone(backbone, image_size)
    if blocks:
        try:
            chosen = tuple(int(block) for block in blocks.split(","))
        except ValueError:
            raise ConfigError(f"blocks: should be numbers such as 6,12,18,24, got '{blocks}'") from None
        config = config.model_copy(update={"blocks": chosen})
    model, notes = import_published(checkpoint, build_encoder(config))
    card = Vip2ClipCard(
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

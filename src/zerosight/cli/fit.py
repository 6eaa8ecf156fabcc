"""``zerosight fit``: references and thresholds from normal images of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerosight.choices import AugmentChoice
from zerosight.cli.console import messages, print_json, progress
from zerosight.cli.options import DEFAULT_MODEL, Backbone, Device, chosen_model

if TYPE_CHECKING:
    from zerosight.models.references.card import ReferencesCard


def fit(
    paths: Annotated[list[str], typer.Argument(help="your own NORMAL images, folders or patterns")],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="the model folder to write; may be left out where --model is one"),
    ] = None,
    model: Annotated[
        str, typer.Option(help="a shipped model, or a folder of this command, to which images are added")
    ] = DEFAULT_MODEL,
    backbone: Backbone = None,
    alpha: Annotated[
        float | None, typer.Option(help="share of normal images that may be called anomalous (0.05)")
    ] = None,
    pixel_alpha: Annotated[
        float | None, typer.Option(help="share of normal images' pixels that may lie in a region (0.01)")
    ] = None,
    augment: Annotated[
        AugmentChoice | None,
        typer.Option(help="compare with turned copies of the images, too; auto: where that helps (none)"),
    ] = None,
    device: Device = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="images per pass")] = 8,
    overwrite: Annotated[bool, typer.Option(help="replace what this command wrote to --out before")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Let a model compare with normal images of your own; nothing is trained, no image is stored.

    Examples:

      zerosight fit good_parts/ --out my-model

      zerosight fit more_good_parts/ --model my-model

      zerosight fit good_parts/ --backbone timm:vit_small_patch14_dinov2.lvd142m --out my-model
    """
    import zerosight
    from zerosight.data.find import find_images
    from zerosight.errors import ConfigError
    from zerosight.models.catalog import architecture_of

    model = chosen_model(model, backbone)
    adding = not Path(model).is_file() and architecture_of(model).name == "references"
    if out is None and not adding:
        raise ConfigError("--out: name the model folder to write, such as --out my-model")
    folder = Path(model) if out is None else out
    images = list(find_images(paths))
    from zerosight.models.references.folder import check_place
    from zerosight.predict.references import save, with_normals

    check_place(folder, overwrite=overwrite or out is None)
    predictor = zerosight.load(model, device, batch_size)
    with progress("images", quiet=as_json) as bar:
        task = bar.add_task("fitting", total=len(images))
        tracked = bar.track(images, task_id=task, total=len(images))
        learned = with_normals(predictor, tracked, alpha, pixel_alpha, augment)
    card = save(learned.predictor, folder)
    for line in learned.warnings:
        messages.print(f"note: {line}", markup=False, soft_wrap=True)
    if as_json:
        print_json(card.model_dump(mode="json", exclude={"base"}))
        return
    _summarise(card, folder)


def _summarise(card: ReferencesCard, folder: Path) -> None:
    messages.print(
        f"{len(card.normals)} normal images; expected false alarms: {card.images.rate}; "
        f"{card.pixels.alpha:.1%} of their pixels in regions",
        soft_wrap=True,
    )
    messages.print(f"next: zerosight predict PHOTOS --model {folder}", soft_wrap=True)

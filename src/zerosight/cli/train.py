"""``zerosight train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosight.cli.console import messages, print_json, progress
from zerosight.errors import ConfigError

if TYPE_CHECKING:
    from zerosight.train.config import TrainConfig

app = typer.Typer(help="Train a model on auxiliary data.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep the model's name as a word of the command."""


@app.command()
def vip2clip(
    data: Annotated[list[Path] | None, typer.Argument(help="manifests of auxiliary data")] = None,
    out: Annotated[Path | None, typer.Option(help="the run folder")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with any setting")] = None,
    backbone: Annotated[
        str | None,
        typer.Option(help="lite, tiny, paper, or an open_clip model such as ViT-B-16@openai"),
    ] = None,
    image_size: Annotated[int | None, typer.Option(help="input size in pixels")] = None,
    epochs: Annotated[int | None, typer.Option(help="passes over the data (10)")] = None,
    batch_size: Annotated[int | None, typer.Option(help="images per step (8)")] = None,
    seed: Annotated[int | None, typer.Option(help="of everything random (111)")] = None,
    cache: Annotated[Path | None, typer.Option(help="folder for the frozen towers' outputs")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="any setting, such as --set lr_fgp=1e-3 --set model.top_k=30"),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on from the last checkpoint")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the card as JSON")] = False,
) -> None:
    """Train ViP²-CLIP's adapters (ICA and FGP); both towers stay frozen.

    Example: zerosight train vip2clip aux/manifest.jsonl --out runs/first --cache cache

    Every setting has the paper's default; 'config.yaml' in the run folder records all of them.
    """
    from zerosight.backbones.config import parse_backbone
    from zerosight.train.run import train
    from zerosight.train.run_folder import CONFIG

    values: dict[str, Any] = {
        "data": [str(path) for path in data] if data else None,
        "out": out,
        "epochs": epochs,
        "batch_size": batch_size,
        "seed": seed,
        "cache": {"folder": str(cache)} if cache else None,
    }
    if backbone or image_size:
        values["backbone"] = parse_backbone(backbone or "lite", image_size).model_dump()
    if resume and out and config is None and (out / CONFIG).is_file():
        config = out / CONFIG
    resolved = _resolve(config, values, settings or [])
    with progress("steps", quiet=as_json) as bar:
        card = train(resolved, resume, (progress_callback(bar),))
    if as_json:
        print_json(card.model_dump(mode="json"))
        return
    measured = card.training.get("on_held_out", {})
    messages.print(f"{resolved.out}: done; {card.thresholds.source}: {measured}")
    messages.print(f"next: zerosight predict PHOTOS --model {resolved.out} --out results")


def _resolve(file: Path | None, flags: dict[str, Any], settings: list[str]) -> TrainConfig:
    """Merge defaults, file, flags and ``--set`` in this order."""
    from zerosight.config import read_mapping
    from zerosight.train.config import TrainConfig

    values = read_mapping(file) if file else {}
    for key, value in flags.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            values[key] = values[key] | value
        elif value is not None:
            values[key] = value
    values = with_settings(values, settings)
    return TrainConfig.parse(values, str(file) if file else "training")


def with_settings(values: dict[str, Any], settings: list[str]) -> dict[str, Any]:
    """Return the values with those of ``--set NAME=VALUE`` over them; dots lead into groups.

    Raises:
        ConfigError: A setting is not of this form.
    """
    import copy

    import yaml

    values = copy.deepcopy(values)
    for setting in settings:
        name, separator, text = setting.partition("=")
        if not separator:
            raise ConfigError(f"--set {setting}: should be NAME=VALUE")
        *groups, last = name.split(".")
        target = values
        for group in groups:
            target = target.setdefault(group, {})
        value = yaml.safe_load(text)
        target[last] = _number(value)
    return values


def _number(value: Any) -> Any:
    """Return YAML's '1e-3', which it reads as text, as the number a person means."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def progress_callback(bar: Any, name: str = "training") -> Any:
    """Return the trainer's callback that moves a bar."""
    import lightning.pytorch as pl

    class TrainingProgress(pl.Callback):
        """Shows the whole run as one bar, so that the time left is that of the run."""

        def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            total = (trainer.max_epochs or 1) * int(trainer.num_training_batches)
            self.task = bar.add_task(name, total=total, completed=trainer.global_step)

        def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
            loss = trainer.callback_metrics.get("train/loss")
            text = f"{name}: epoch {trainer.current_epoch + 1}" + (
                f", loss {loss:.3f}" if loss is not None else ""
            )
            bar.update(self.task, completed=trainer.global_step, description=text)

    return TrainingProgress()

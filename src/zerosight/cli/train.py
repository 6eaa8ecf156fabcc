"""``zerosight train``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from zerosight.cli.console import messages, print_json, progress
from zerosight.cli.settings import resolve
from zerosight.errors import ConfigError

if TYPE_CHECKING:
    from zerosight.models.card import Card, ModelCard
    from zerosight.models.llava_radz.card import RadzCard
    from zerosight.train.config import RunConfig

K = TypeVar("K", bound="Card")

app = typer.Typer(help="Train a model on your own data; runs are folders that can be resumed and used.")

Data = Annotated[list[Path] | None, typer.Argument(help="manifests of training data")]
Out = Annotated[Path | None, typer.Option(help="the run folder")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="YAML file with any setting")]
Epochs = Annotated[int | None, typer.Option(help="passes over the data (10)")]
Seed = Annotated[int | None, typer.Option(help="of everything random (111)")]
Cache = Annotated[Path | None, typer.Option(help="folder for the frozen towers' outputs")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="any setting, such as --set workers=4 --set cache.max_gb=50; repeatable"),
]
Resume = Annotated[bool, typer.Option("--resume", help="go on from the last checkpoint")]
AsJson = Annotated[bool, typer.Option("--json", help="print the card as JSON")]


@app.callback()
def _group() -> None:
    """Keep the model's name as a word of the command."""


@app.command()
def vip2clip(
    data: Data = None,
    out: Out = None,
    config: ConfigFile = None,
    backbone: Annotated[
        str | None,
        typer.Option(help="lite, tiny, paper, or an open_clip model such as ViT-B-16@openai"),
    ] = None,
    image_size: Annotated[int | None, typer.Option(help="input size in pixels")] = None,
    epochs: Epochs = None,
    batch_size: Annotated[int | None, typer.Option(help="images per step (8)")] = None,
    seed: Seed = None,
    cache: Cache = None,
    settings: Settings = None,
    resume: Resume = False,
    as_json: AsJson = False,
) -> None:
    """Train ViP²-CLIP's adapters (ICA and FGP) to find anomalies; both towers stay frozen.

    Every setting has the paper's default; 'config.yaml' in the run folder records all of them.

    Example: zerosight train vip2clip aux/manifest.jsonl --out runs/first --cache cache
    """
    from zerosight.backbones.config import parse_backbone
    from zerosight.train.config import TrainConfig
    from zerosight.train.run import train

    flags = _run_flags(data, out, epochs, seed, cache) | {"batch_size": batch_size}
    if backbone or image_size:
        flags["backbone"] = parse_backbone(backbone or "lite", image_size).model_dump()
    resolved = resolve(TrainConfig, _file(config, out, resume), flags, settings)

    def result(card: ModelCard) -> str:
        measured = f"{card.thresholds.source}: {card.training['on_held_out']}"
        return f"{measured}\nnext: zerosight predict PHOTOS --model {resolved.out} --out results"

    _run(resolved, as_json, lambda callbacks: train(resolved, resume, callbacks), result)


@app.command()
def radz(
    data: Data = None,
    out: Out = None,
    mllm: Annotated[
        str | None,
        typer.Option(help="language model to begin with: OWNER/NAME on the Hugging Face hub, or a folder"),
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="LLaVA-RadZ to go on from instead: a shipped name or a run folder")
    ] = None,
    config: ConfigFile = None,
    epochs: Epochs = None,
    batch_size: Annotated[
        int | None, typer.Option(help="pairs that are each other's negatives; more learn better (64)")
    ] = None,
    micro_batch_size: Annotated[
        int | None, typer.Option(help="pairs in memory at a time; lower it when memory runs out (8)")
    ] = None,
    seed: Seed = None,
    cache: Cache = None,
    lora_rank: Annotated[
        int | None, typer.Option(help="rank of the decoder's low-rank updates, scaled by 2 (128)")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="train every weight of the decoder instead of LoRA")
    ] = False,
    precision: Annotated[
        str | None, typer.Option(help="32-true, or bf16-mixed for half the memory of activations (32-true)")
    ] = None,
    accelerator: Annotated[str | None, typer.Option(help="cpu, gpu or auto (cpu)")] = None,
    descriptions: Annotated[
        Path | None, typer.Option(help="YAML file of findings' descriptions, over the package's own")
    ] = None,
    settings: Settings = None,
    resume: Resume = False,
    as_json: AsJson = False,
) -> None:
    """Train LLaVA-RadZ to recognise findings in chest X-rays, from images with reports or labels.

    The rows of DATA hold 'text' (a report), 'labels' (findings), or both, and 'group' (the patient).
    Split 'train' is learnt from; split 'val', of other patients, chooses the best epoch.

    The result is for research. It is not a medical device.

    Example: zerosight train radz chest.jsonl --out runs/chest --start radz-tiny --cache cache

    Example: zerosight train radz mimic.jsonl --out runs/llava --mllm llava-hf/llava-1.5-7b-hf
    --accelerator gpu --precision bf16-mixed --set gradient_checkpointing=true
    """
    from zerosight.train.radz.config import RadzTrainConfig
    from zerosight.train.radz.run import train_radz

    flags = _run_flags(data, out, epochs, seed, cache)
    flags |= {"batch_size": batch_size, "micro_batch_size": micro_batch_size, "anchors": descriptions}
    flags |= {"start": start, "precision": precision, "accelerator": accelerator}
    flags |= _mllm_flags(mllm, start, lora_rank, full)
    resolved = resolve(RadzTrainConfig, _file(config, out, resume), flags, settings)

    def result(card: RadzCard) -> str:
        history = card.training["auroc_on_held_out"]
        kept = f"epoch {history.index(max(history)) + 1}" if history else "the last epoch"
        values = (
            f"mean AUROC on held-out images: {max(history):.3f}"
            if history
            else "no held-out images to judge by"
        )
        named = f'zerosight predict IMAGES --model {resolved.out} --labels "pneumonia, pleural effusion"'
        return f"{kept} is kept; {values}\nnext: {named} --out results"

    def say(line: str) -> None:
        messages.print(line, soft_wrap=True, markup=False)

    _run(resolved, as_json, lambda callbacks: train_radz(resolved, resume, callbacks, say), result)


def _run_flags(
    data: list[Path] | None, out: Path | None, epochs: int | None, seed: int | None, cache: Path | None
) -> dict[str, Any]:
    """Return what every run has, by the names of its settings."""
    files = [str(path) for path in data] if data else None
    folder = str(cache) if cache else None
    return {"data": files, "out": out, "epochs": epochs, "seed": seed, "cache.folder": folder}


def _mllm_flags(mllm: str | None, start: str | None, rank: int | None, full: bool) -> dict[str, Any]:
    """Return which language model is trained, and how.

    Raises:
        ConfigError: The flags contradict each other.
    """
    if start and (rank or full):
        raise ConfigError("--lora-rank and --full go with --mllm; what --start names is trained as it was")
    if rank and full:
        raise ConfigError("--full trains every weight and has no rank; give --lora-rank or --full")
    flags: dict[str, Any] = {"mllm.model": mllm, "mllm.adapt.method": "full" if full else None}
    if rank:
        flags |= {"mllm.adapt.rank": rank, "mllm.adapt.alpha": 2 * rank}
    return flags


def _file(config: Path | None, out: Path | None, resume: bool) -> Path | None:
    """Return the file of settings: the one given, else that of the run to resume."""
    from zerosight.train.run_folder import CONFIG

    if config is None and resume and out and (out / CONFIG).is_file():
        return out / CONFIG
    return config


def _run(
    config: RunConfig,
    as_json: bool,
    train: Callable[[tuple[Any, ...]], K],
    result: Callable[[K], str],
) -> None:
    """Train with a bar, then print the card or what to know of it; of several processes only one speaks."""
    from zerosight.train.run_folder import is_first_process

    with progress("steps", quiet=as_json or not is_first_process()) as bar:
        card = train((progress_callback(bar),))
    if not is_first_process():
        return
    if as_json:
        print_json(card.model_dump(mode="json"))
        return
    messages.print(f"{config.out}: done; {result(card)}", soft_wrap=True, markup=False)


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

"""``zerosight train``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from zerosight.choices import Pool
from zerosight.cli.console import messages, print_json, progress
from zerosight.cli.options import training_device
from zerosight.cli.settings import resolve
from zerosight.errors import ConfigError

if TYPE_CHECKING:
    from zerosight.models.card import Card
    from zerosight.models.llava_radz.card import RadzCard
    from zerosight.models.vip2clip.card import Vip2ClipCard
    from zerosight.train.ahead import Elsewhere
    from zerosight.train.config import RunConfig

K = TypeVar("K", bound="Card")
R = TypeVar("R", bound="RunConfig")

app = typer.Typer(help="Train a model on your own data; runs are folders that can be resumed and used.")

Data = Annotated[
    list[str] | None,
    typer.Argument(metavar="DATA", help="LAYOUT:ROOT, folders or manifests to train on; needed"),
]
Out = Annotated[Path | None, typer.Option("-o", "--out", help="the run folder; needed")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="YAML file with any setting")]
Epochs = Annotated[int | None, typer.Option(help="passes over the data (10; with lite 3)")]
Seed = Annotated[int | None, typer.Option(help="of everything random (111)")]
Cache = Annotated[Path | None, typer.Option(help="folder for the frozen towers' outputs")]
FeaturesOn = Annotated[
    str | None,
    typer.Option(help="have a Ray cluster fill the --cache: ray, or ray://HOST:PORT (zerosight[ray])"),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="any setting, such as --set workers=4 --set cache.max_gb=50; repeatable"),
]
Device = Annotated[
    str | None,
    typer.Option(
        callback=training_device, help="auto, cpu, cuda or mps; auto is a card if there is one (cpu)"
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="go on from the last checkpoint")]
AsJson = Annotated[bool, typer.Option("--json", help="print the card as JSON")]


@app.callback()
def _group() -> None:
    """Keep the model's name as a word of the command."""


@app.command(no_args_is_help=True)
def vip2clip(
    data: Data = None,
    out: Out = None,
    start: Annotated[
        str | None, typer.Option(help="ViP²-CLIP to go on from: a shipped name or a run folder")
    ] = None,
    config: ConfigFile = None,
    backbone: Annotated[
        str | None,
        typer.Option(help="lite, tiny, paper, or an open_clip model such as ViT-B-16@openai"),
    ] = None,
    image_size: Annotated[int | None, typer.Option(help="input size in pixels")] = None,
    epochs: Epochs = None,
    batch_size: Annotated[int | None, typer.Option(help="images per step (8; with lite 16)")] = None,
    seed: Seed = None,
    device: Device = None,
    cache: Cache = None,
    features_on: FeaturesOn = None,
    settings: Settings = None,
    resume: Resume = False,
    as_json: AsJson = False,
) -> None:
    """Train ViP²-CLIP's adapters (ICA and FGP) to find anomalies; both towers stay frozen.

    Needed are DATA and --out (or both in --config); images that are anomalous need masks. Other settings are
    the paper's, with 'lite' those of the shipped weights; 'config.yaml' in the run folder records them all.

    Examples:

      zerosight train vip2clip aux/manifest.jsonl --out runs/first --cache cache

      zerosight train vip2clip parts.jsonl --out runs/parts --start vip2clip-lite

      zerosight train vip2clip mvtec_ad:/data/mvtec --out runs/mvtec --set 'splits=[test]'
    """
    from zerosight.backbones.config import parse_backbone
    from zerosight.train.vip2clip.config import TrainConfig

    flags = _run_flags(data, out, epochs, seed, cache) | {"batch_size": batch_size, "start": start}
    flags["accelerator"] = device
    if backbone or image_size:
        flags["backbone"] = parse_backbone(backbone or "lite", image_size).model_dump()
    resolved = _resolved(TrainConfig, _file(config, out, resume), flags, settings)
    from zerosight.train.vip2clip.run import train

    def result(card: Vip2ClipCard) -> str:
        names = {"image_auroc": "image AUROC", "pixel_auroc": "pixel AUROC", "pixel_aupro": "AUPRO"}
        measured = [f"{names[key]} {value:.3f}" for key, value in card.training["on_held_out"].items()]
        said = f"{', '.join(measured) or 'nothing could be measured'}, on {card.thresholds.source}"
        return f"{said}\nnext: zerosight predict PHOTOS --model {resolved.out} --out results"

    elsewhere = _elsewhere(features_on, resolved)
    _run(resolved, as_json, lambda callbacks: train(resolved, resume, callbacks, _say, elsewhere), result)


@app.command(no_args_is_help=True)
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
    device: Device = None,
    cache: Cache = None,
    features_on: FeaturesOn = None,
    lora_rank: Annotated[
        int | None, typer.Option(help="rank of the decoder's low-rank updates, scaled by 2 (128)")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="train every weight of the decoder instead of LoRA")
    ] = False,
    pool: Annotated[
        Pool | None,
        typer.Option(help="states of special tokens: mean, or concat, as in the paper (mean)"),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="32-true, or bf16-mixed for half the memory of activations (32-true)")
    ] = None,
    accelerator: Annotated[
        str | None, typer.Option(help="as --device, by Lightning's names: cpu, gpu or auto (cpu)")
    ] = None,
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

    flags = _run_flags(data, out, epochs, seed, cache)
    flags |= {"batch_size": batch_size, "micro_batch_size": micro_batch_size, "anchors": descriptions}
    if device and accelerator:
        raise ConfigError("--device and --accelerator say the same; give one of the two")
    flags |= {"start": start, "precision": precision, "accelerator": device or accelerator}
    flags |= _mllm_flags(mllm, start, lora_rank, full) | {"model.pool": pool}
    resolved = _resolved(RadzTrainConfig, _file(config, out, resume), flags, settings)
    from zerosight.train.radz.run import train_radz

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

    elsewhere = _elsewhere(features_on, resolved)
    _run(
        resolved, as_json, lambda callbacks: train_radz(resolved, resume, callbacks, _say, elsewhere), result
    )


def _elsewhere(features_on: str | None, config: RunConfig) -> Elsewhere | None:
    """Return who fills the cache before training, if anybody.

    Raises:
        MissingExtraError: Ray is not installed.
    """
    if features_on is None:
        return None
    from zerosight.runtimes.packages import require
    from zerosight.scale.features import features_on as on

    require("ray", "ray")
    return on(features_on, config.accelerator, _say)


def _say(line: str) -> None:
    messages.print(line, soft_wrap=True, markup=False)


def _resolved(kind: type[R], file: Path | None, flags: dict[str, Any], settings: list[str] | None) -> R:
    """Return the settings of a run that can begin: what it needs is given, and what it names is there.

    Raises:
        ConfigError: A setting is wrong, or nobody said the data or the folder.
        DataError: The data are not there.
        WeightsError: The model to go on from is not there.
    """
    named = {text.partition("=")[0] for text in settings or ()}
    needed = {"data": (["?"], "DATA"), "out": ("?", "--out")}
    lacking = [name for name in needed if flags[name] is None and file is None and name not in named]
    resolved = resolve(kind, file, flags | {name: needed[name][0] for name in lacking}, settings)
    if lacking:
        said = " and ".join(needed[name][1] for name in lacking)
        raise ConfigError(f"{said} must be given, as in: zerosight train MODEL DATA --out RUN")
    _check(resolved)
    return resolved


def _check(config: RunConfig) -> None:
    """Look for what the settings name, before anything is loaded.

    Raises:
        DataError: The data are not there.
        WeightsError: The model to go on from is not there.
    """
    from zerosight.models.catalog import find_model

    config.datasets()
    if start := getattr(config, "start", None):
        find_model(start)


def _run_flags(
    data: list[str] | None, out: Path | None, epochs: int | None, seed: int | None, cache: Path | None
) -> dict[str, Any]:
    """Return what every run has, by the names of its settings."""
    folder = str(cache) if cache else None
    return {"data": data or None, "out": out, "epochs": epochs, "seed": seed, "cache.folder": folder}


def _mllm_flags(mllm: str | None, start: str | None, rank: int | None, full: bool) -> dict[str, Any]:
    """Return which language model is trained, and how.

    Raises:
        ConfigError: The flags contradict each other.
    """
    if start and rank:
        raise ConfigError("--lora-rank goes with --mllm; updates of what --start names keep their rank")
    if rank and full:
        raise ConfigError("--full trains every weight and has no rank; give --lora-rank or --full")
    flags: dict[str, Any] = {"mllm.model": mllm}
    if full:
        flags |= {"full": True} if start else {"mllm.adapt.method": "full"}
    if rank:
        flags |= {"mllm.adapt.rank": rank, "mllm.adapt.alpha": 2 * rank}
    return flags


def _file(config: Path | None, out: Path | None, resume: bool) -> Path | None:
    """Return the file of settings: the one given, else that of the run to resume."""
    from zerosight.train.config import CONFIG

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

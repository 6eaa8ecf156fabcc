"""``zerosight ablate``: what each part of a model is worth, on your own images."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from zerosight.cli.console import messages, print_json, progress
from zerosight.cli.options import Device

if TYPE_CHECKING:
    from rich.progress import Progress

    from zerosight.ablate.config import StudyConfig
    from zerosight.ablate.run import Step, Tell
    from zerosight.ablate.tables import StudyTables

S = TypeVar("S", bound="StudyConfig")
Tests = Annotated[
    list[str], typer.Option("--test", help="LAYOUT:ROOT, a folder or a manifest to test on; repeatable")
]
Out = Annotated[
    Path, typer.Option("-o", "--out", help="folder for models, results and tables; goes on if interrupted")
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="YAML file of variants; without, those of the package")
]
Resamples = Annotated[int, typer.Option(min=0, max=100_000, help="of the bootstrap")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
app = typer.Typer(help="What each part of a model is worth, measured on your own data.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep the model's name as a word of the command."""


@app.command()
def vip2clip(
    data: Annotated[str, typer.Option(help="LAYOUT:ROOT, a folder or a manifest with masks to train on")],
    test: Tests,
    out: Out,
    config: ConfigFile = None,
    group: Annotated[
        list[str] | None, typer.Option(help="only this group of variants, such as modules; repeatable")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="split of DATA to train on, such as test as in the paper (train)")
    ] = None,
    backbone: Annotated[
        str | None, typer.Option(help="lite, tiny, paper, or an open_clip model such as ViT-B-16@openai")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="folder for the frozen towers' outputs (OUT/cache)")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="a setting of all variants, such as --set images=300; repeatable"),
    ] = None,
    resamples: Resamples = 1000,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Train and test variants of ViP²-CLIP and other people's ideas on the same cached features.

    Nothing of the data to test on is learnt from. What is finished is not done again.

    Example: zerosight ablate vip2clip --data aux/manifest.jsonl --test brain_mri:/data/brain --out ablations
    """
    from zerosight.ablate.vip2clip import Request, Vip2Study, read_sets, run, shipped_study
    from zerosight.backbones.config import parse_backbone
    from zerosight.data.layouts import open_dataset
    from zerosight.train.config import CacheConfig

    added = {} if backbone is None else {"backbone": parse_backbone(backbone).model_dump()}
    study = _study(Vip2Study, config, shipped_study, added, settings or []).only(tuple(group or ()))
    sets = read_sets(open_dataset(data), [open_dataset(text) for text in test], split)
    images = {one.name: f"{len(one.samples)} images" for one in sets.tests}
    learnt = f"{len(sets.auxiliary.train)} images to train on, {len(sets.auxiliary.held_out)} held out"
    about = {"training": learnt} | images
    request = Request(study, sets, out, CacheConfig(folder=cache), resamples, device, about)
    _run(partial(run, request), out, as_json)


@app.command()
def radz(
    data: Annotated[
        list[str],
        typer.Option(help="LAYOUT:ROOT, a folder or a manifest of chest X-rays to train on; repeatable"),
    ],
    test: Tests,
    out: Out,
    config: ConfigFile = None,
    group: Annotated[
        list[str] | None, typer.Option(help="only this group of variants, such as tokens; repeatable")
    ] = None,
    split: Annotated[list[str] | None, typer.Option(help="split of TEST (test); repeatable")] = None,
    labels: Annotated[
        str | None, typer.Option(help="findings to judge, with commas between; all that TEST can judge")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="folder for the frozen tower's outputs (OUT/cache)")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="a setting of all variants, such as --set limit=300; repeatable"),
    ] = None,
    resamples: Resamples = 1000,
    as_json: AsJson = False,
) -> None:
    """Train and test variants of LLaVA-RadZ on the same cached features of its vision tower.

    Each is a run of `zerosight train radz`. Nothing of the data to test on is learnt from. What is finished
    is not done again.

    Example: zerosight ablate radz --data train.jsonl --test test.jsonl --out ablations
    """
    from zerosight.ablate.radz import RadzStudy, Request, read_sets, run, shipped_study
    from zerosight.data.chest.names import canonical
    from zerosight.train.config import CacheConfig

    study = _study(RadzStudy, config, shipped_study, {}, settings or []).only(tuple(group or ()))
    findings = labels.split(",") if labels else study.findings
    sets = read_sets(data, test, split or ("test",), tuple(map(canonical, findings)))
    images = {
        one.name: f"{len(one.studies)} images, judged on {', '.join(one.findings)}" for one in sets.tests
    }
    request = Request(
        study, sets, out, CacheConfig(folder=cache), resamples, {"training": ", ".join(data)} | images
    )
    _run(partial(run, request), out, as_json)


def _run(run: Callable[[Tell, Step], StudyTables], out: Path, as_json: bool) -> None:
    """Run a study under progress bars, and print its tables."""
    with progress("runs", quiet=as_json) as bar:
        shown = _Bars(bar)
        tables = run(shown.tell, shown.step)
    if as_json:
        print_json(tables.to_json())
        return
    for table in tables.short():
        messages.print(table.rich())
    messages.print(f"page: {out / 'ablation.html'}", soft_wrap=True, markup=False)


def _study(
    kind: type[S], path: Path | None, shipped: Callable[[], S], added: dict[str, Any], settings: list[str]
) -> S:
    """Return the study of a file, or the shipped one, with the command's settings over it."""
    from zerosight.cli.settings import with_settings
    from zerosight.config import read_mapping

    study = kind.parse(read_mapping(path), str(path)) if path else shipped()
    shared = {**study.settings, **added, **_flat(with_settings({}, settings))}
    return study.model_copy(update={"settings": shared})


def _flat(values: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Return nested settings by dotted name."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flat(value, f"{before}{name}.") if isinstance(value, dict) else {f"{before}{name}": value}
    return found


class _Bars:
    """Shows the runs of the study, and the steps of the one that is trained."""

    def __init__(self, bar: Progress) -> None:
        self.bar = bar
        self.runs = bar.add_task("variants", total=None)
        self.steps = bar.add_task("training", total=None, visible=False)

    def tell(self, name: str, done: int, total: int) -> None:
        """Show which variant is worked at."""
        self.bar.update(self.runs, completed=done, total=total, description=name)
        self.bar.update(self.steps, visible=False)

    def step(self, done: int, total: int) -> None:
        """Show how far its training is."""
        self.bar.update(self.steps, completed=done, total=total, visible=True)

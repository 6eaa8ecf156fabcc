"""``zerosight evaluate``: what is asked of every model; what it finds decides the rest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosight.choices import AugmentChoice, Aupro, Resolution, ScoreMode
from zerosight.cli.console import refuse
from zerosight.cli.options import DEFAULT_MODEL, MAP_COSTS, AsJson, Backbone, Device, Model, chosen_model

if TYPE_CHECKING:
    from zerosight.data.manifest import Dataset
    from zerosight.journal import ResumePolicy


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """What the command line says, whatever the model finds.

    Attributes:
        data: ``LAYOUT:ROOT`` or a manifest each.
        model: A shipped model's name, a folder or a graph.
        device: Where it runs.
        out: Folder for results; None prints only.
        as_json: Print JSON instead of tables.
        resume: Go on with an interrupted run.
        overwrite: Replace results.
        categories: Only these categories or views.
        on: The Ray cluster that does the work; None works here.
        shared: Settings of every evaluation, by name; those that are None were not given.
        anomalies: Likewise, of anomalies.
        findings: Likewise, of findings.
    """

    data: list[str]
    model: str
    device: str
    out: Path | None
    as_json: bool
    resume: bool
    overwrite: bool
    categories: tuple[str, ...] | None
    shared: dict[str, Any]
    anomalies: dict[str, Any]
    findings: dict[str, Any]
    on: str | None = None

    def resume_policy(self, name: str) -> ResumePolicy:
        """Return where what is found about a data set is kept."""
        from zerosight.journal import ResumePolicy

        return ResumePolicy(None if self.out is None else self.out / name, self.resume, self.overwrite)

    def datasets(self) -> dict[str, Dataset]:
        """Return the data sets by a name of their own, which is also that of their folder."""
        from zerosight.evaluate.door import named_datasets

        return named_datasets(self.data)


def evaluate(
    data: Annotated[
        list[str],
        typer.Option(
            help="LAYOUT:ROOT, a folder or a manifest, also s3://…; repeatable; see 'zerosight data list'"
        ),
    ],
    model: Model = DEFAULT_MODEL,
    backbone: Backbone = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="folder for evaluation.html, .md, .json and what resuming needs"),
    ] = None,
    categories: Annotated[
        list[str] | None,
        typer.Option("--categories", "--views", help="only these; repeatable or joined by commas"),
    ] = None,
    split: Annotated[list[str] | None, typer.Option(help="parts of the data; repeatable (test)")] = None,
    resolution: Annotated[
        Resolution | None,
        typer.Option(help="compare maps with masks at the model's size or each image's own (model)"),
    ] = None,
    aupro: Annotated[
        Aupro | None, typer.Option(help="variant in the tables (exact); the JSON has both")
    ] = None,
    normals: Annotated[
        str | None, typer.Option(help="few-shot: numbers of normal images to compare with, such as 1,2,4,8")
    ] = None,
    augment: Annotated[
        AugmentChoice | None,
        typer.Option(help="few-shot: compare with turned copies, too; auto: where that helps (none)"),
    ] = None,
    batch_reference: Annotated[
        str | None,
        typer.Option(help="images judged by each other: shares of anomalous ones, such as 0.05,0.2,0.5"),
    ] = None,
    draws: Annotated[
        int | None, typer.Option(help="few-shot, batch reference: times that images are drawn (5)")
    ] = None,
    as_json: AsJson = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="stop at the first file or row that is bad")
    ] = False,
    workers: Annotated[int | None, typer.Option(help="threads that read images (4)")] = None,
    batch_size: Annotated[int | None, typer.Option(help="images per pass (8)")] = None,
    resamples: Annotated[int | None, typer.Option(help="of the bootstrap; 0 for no intervals (1000)")] = None,
    device: Device = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="go on with an interrupted evaluation")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the results in --out")] = False,
    on: Annotated[
        str | None, typer.Option(help="have a Ray cluster do it: ray, or ray://HOST:PORT; same digits")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="findings to judge, by commas, each LABEL or LABEL=FINDING (all)")
    ] = None,
    mode: Annotated[ScoreMode | None, typer.Option(help="how findings are scored (the model's)")] = None,
    threshold: Annotated[
        str | None, typer.Option(help="of F1 and accuracy: fixed:VALUE (0.5), validation or oracle")
    ] = None,
    val_split: Annotated[list[str] | None, typer.Option(help="part to choose thresholds on")] = None,
    train_split: Annotated[list[str] | None, typer.Option(help="part to fine-tune on (train)")] = None,
    finetune: Annotated[
        list[float] | None, typer.Option(help="share of its labels to fine-tune on, such as 0.01; repeatable")
    ] = None,
    vqa: Annotated[
        bool, typer.Option("--vqa", help="also ask the model in words, finding by finding")
    ] = False,
    maps: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            help=f"maps to hold to masks or boxes of findings; repeatable (the model's); {MAP_COSTS}",
        ),
    ] = None,
    descriptions: Annotated[
        Path | None, typer.Option(help="file that describes further findings (see 'zerosight anchors')")
    ] = None,
    write_descriptions: Annotated[
        bool, typer.Option("--write-descriptions", help="let the language model describe unknown findings")
    ] = False,
) -> None:
    """Measure a model on labelled images: per category or per finding, with intervals.

    Models of anomalies are judged by images and pixels. With a model such as radz-tiny: findings in chest
    X-rays, zero-shot, for research only; the last ten options are for these.

    Examples:

      zerosight evaluate --data folder:parts --out results

      zerosight evaluate --data mvtec_ad:/data/mvtec --data visa:/data/visa --out results --resume

      zerosight evaluate --data mvtec_ad:/data/mvtec --normals 1,2,4,8 --draws 5

      zerosight evaluate --data folder:parts --batch-reference 0.05,0.2,0.5

      zerosight evaluate --data parts.jsonl --split val --json

      zerosight evaluate --model radz-tiny --data chestxray14:/data/nih --threshold oracle --out results
    """
    from zerosight.models.catalog import task_of

    model = chosen_model(model, backbone)
    if out is None:
        refuse("an evaluation without --out", resume=resume or None, overwrite=overwrite or None)
    options = EvaluateOptions(
        data=data,
        model=model,
        device=device,
        out=out,
        as_json=as_json,
        resume=resume,
        overwrite=overwrite,
        categories=words(categories),
        shared={
            "splits": words(split),
            "strict": strict,
            "workers": workers,
            "batch_size": batch_size,
            "resamples": resamples,
        },
        anomalies={
            "resolution": resolution,
            "aupro": aupro,
            "normals": words([normals]) if normals else None,
            "draws": draws,
            "augment": augment,
            "batch_reference": words([batch_reference]) if batch_reference else None,
        },
        findings={
            "labels": None if labels is None else words([labels]),
            "mode": mode,
            "threshold": threshold,
            "val_splits": words(val_split),
            "train_splits": words(train_split),
            "finetune": tuple(finetune) if finetune else None,
            "vqa": vqa or None,
            "maps": words(maps),
            "descriptions": descriptions,
            "write": write_descriptions or None,
        },
        on=on,
    )
    resolve_name(task_of(model).evaluate)(options)


def words(texts: list[str] | None) -> tuple[str, ...] | None:
    """Return the words of options that may be repeated or joined by commas."""
    return tuple(word for text in texts for word in text.split(",") if word) if texts else None

"""``zerosight data``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerosight.cli.console import messages, print_json, progress
from zerosight.cli.options import AsJson
from zerosight.cli.phantoms import phantoms
from zerosight.errors import ConfigError

if TYPE_CHECKING:
    from zerosight.data.layouts import DatasetInfo
    from zerosight.data.manifest import Dataset, Record

app = typer.Typer(help="Make, list, check, convert and split data sets.", no_args_is_help=True)
NamePatients = Annotated[
    bool, typer.Option("--name-patients", help="write a table's patients as they are called, not as hashes")
]
DataName = Annotated[str, typer.Argument(help="LAYOUT:ROOT, a folder or a manifest", metavar="DATA")]
app.command("phantoms")(phantoms)


@app.callback()
def _group() -> None:
    """Keep the action as a word of the command."""


@app.command("list")
def list_(
    pages: Annotated[
        Path | None, typer.Option(help="write a Markdown page per data set into this folder")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the data sets that can be read as their owners publish them.

    Example: zerosight data list --pages docs/datasets
    """
    from zerosight.data.layouts import list_layouts
    from zerosight.data.layouts.pages import dataset_pages
    from zerosight.files import write_atomically

    infos = list_layouts()
    if pages is not None:
        for name, text in dataset_pages().items():
            write_atomically(pages / name, text.encode())
        messages.print(f"{len(infos) + 1} pages: {pages}", soft_wrap=True, markup=False)
    elif as_json:
        print_json([_facts(info) for info in infos])
    else:
        _print_layouts(infos)


@app.command()
def check(
    data: DataName,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="file for the whole report: JSON if it ends in .json, else text"),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="exit with status 1 if anything is wrong")] = False,
    workers: Annotated[int, typer.Option(min=1, help="threads that read files")] = 4,
    as_json: AsJson = False,
) -> None:
    """Read every image and mask once and report what is missing, damaged, doubled or contradictory.

    Example: zerosight data check visa:/data/visa --out report.txt
    """
    from zerosight.data.check import check as run
    from zerosight.data.layouts import LayoutDataset, open_dataset
    from zerosight.files import write_atomically

    dataset = open_dataset(data)
    notes = list(dataset.report()) if isinstance(dataset, LayoutDataset) else []
    with progress("images", quiet=as_json) as bar:
        task = bar.add_task("checking", total=sum(1 for _ in dataset.records(strict=False)))
        report = run(dataset, lambda done: bar.update(task, completed=done), workers)
    values = report.to_json() | {"layout": notes}
    if out is not None:
        whole = "\n".join([*notes, report.to_text(examples=1_000_000)])
        text = json.dumps(values, indent=1, ensure_ascii=False) if out.suffix == ".json" else whole
        write_atomically(out, text.encode(errors="replace") + b"\n")
    if as_json:
        print_json(values)
    else:
        messages.print("\n".join([*notes, report.to_text()]), soft_wrap=True, markup=False)
        if out is not None:
            messages.print(f"report: {out}", soft_wrap=True, markup=False)
    if strict and not report.clean:
        raise typer.Exit(1)


@app.command()
def build(
    name: Annotated[str, typer.Argument(help="a layout; see 'zerosight data list'")],
    root: Annotated[Path, typer.Argument(help="the data set's folder, or one that holds it")],
    out: Annotated[Path, typer.Option("-o", "--out", help="the manifest to write")],
    hashes: Annotated[bool, typer.Option("--hashes", help="add the SHA-256 of every image")] = False,
    name_patients: NamePatients = False,
    as_json: AsJson = False,
) -> None:
    """Write the manifest of a data set; images and masks stay where they are.

    Example: zerosight data build mvtec_ad /data/mvtec -o mvtec.jsonl
    """
    from zerosight.data.hashing import with_hashes
    from zerosight.data.layouts import read_layout
    from zerosight.data.manifest import write_manifest

    dataset = read_layout(name, root)
    dataset = dataset if name_patients else dataset.unnamed()
    records: Iterator[Record] = with_hashes(dataset) if hashes else dataset.records()
    with progress("images", quiet=as_json) as bar:
        task = bar.add_task("writing", total=len(dataset.rows))
        count = write_manifest(out, dataset.header, bar.track(records, task_id=task, total=len(dataset.rows)))
    if as_json:
        print_json({"manifest": str(out), "images": count, "notes": list(dataset.report())})
        return
    messages.print("\n".join(dataset.report()), soft_wrap=True, markup=False)
    messages.print(f"{count} images: {out}", soft_wrap=True, markup=False)


@app.command()
def split(
    data: DataName,
    parts: Annotated[list[str], typer.Argument(help="names and shares, such as train=0.8 test=0.2")],
    out: Annotated[Path, typer.Option("-o", "--out", help="the manifest to write")],
    seed: Annotated[int, typer.Option(help="same seed, same split")] = 0,
    name_patients: NamePatients = False,
    as_json: AsJson = False,
) -> None:
    """Divide a data set into parts so that a group, such as a patient, never ends up in two.

    Example: zerosight data split parts.jsonl train=0.8 test=0.2 -o divided.jsonl
    """
    from zerosight.data.layouts import LayoutDataset, open_dataset
    from zerosight.data.manifest import write_manifest
    from zerosight.data.split import split_records

    dataset = open_dataset(data)
    if isinstance(dataset, LayoutDataset) and not name_patients:
        dataset = dataset.unnamed()
    shares = _shares(parts)
    counts = dict.fromkeys(shares, 0)

    def counted() -> Iterator[Record]:
        for record in split_records(dataset, shares, seed):
            counts[record.split] += 1
            yield record

    header = replace(dataset.header, root=str(_root(dataset)))
    count = write_manifest(out, header, counted())
    if as_json:
        print_json({"manifest": str(out), "images": count, "parts": counts})
        return
    for name, number in counts.items():
        messages.print(f"{name}: {number} images", markup=False)
    messages.print(f"{count} images: {out}", soft_wrap=True, markup=False)


@app.command()
def boxes(
    data: DataName,
    out: Annotated[Path, typer.Option("-o", "--out", help="the manifest to write")],
    table: Annotated[
        Path | None, typer.Option("--list", help="BBox_List_2017.csv (the copy in torchxrayvision)")
    ] = None,
    name_patients: NamePatients = False,
    as_json: AsJson = False,
) -> None:
    """Add the boxes of ChestX-ray14 to its images, or to copies of some of them, for judging maps.

    Example: zerosight data boxes chestxray14:/data/nih -o boxes.jsonl
    """
    from zerosight.data.layouts import LayoutDataset, open_dataset
    from zerosight.data.layouts.chest.boxes import chestxray14_boxes, with_boxes
    from zerosight.data.manifest import write_manifest

    dataset = open_dataset(data)
    if isinstance(dataset, LayoutDataset) and not name_patients:
        dataset = dataset.unnamed()
    rows = list(with_boxes(dataset, chestxray14_boxes(table)))
    count = write_manifest(out, replace(dataset.header, root=str(_root(dataset))), rows)
    boxed = sum(bool(row.regions) for row in rows)
    if as_json:
        print_json({"manifest": str(out), "images": count, "with_boxes": boxed})
    else:
        messages.print(f"{count} images, {boxed} with boxes: {out}", soft_wrap=True, markup=False)


@app.command()
def synthesize(
    out: Annotated[Path, typer.Option("-o", "--out", help="folder for images, masks and manifest.jsonl")],
    count: Annotated[int | None, typer.Option(min=1, help="number of images")] = None,
    size: Annotated[int | None, typer.Option(help="height and width in pixels")] = None,
    seed: Annotated[int | None, typer.Option(help="same seed, same bytes")] = None,
    base: Annotated[
        list[Path] | None, typer.Option(help="folder of photographs or textures to start from; repeatable")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="processes; 0 for all cores")] = None,
    as_json: AsJson = False,
) -> None:
    """Draw auxiliary images with defects and their masks by procedure; training data without a camera.

    Example: zerosight data synthesize --out aux --count 2000
    """
    from zerosight.synthesis.surfaces import SynthesisConfig
    from zerosight.synthesis.surfaces import synthesize as run

    folders = [str(folder) for folder in base] if base else None
    config = SynthesisConfig.load(
        None, count=count, size=size, seed=seed, workers=workers, base_folders=folders
    )
    with progress("images", quiet=as_json) as bar:
        task = bar.add_task("synthesizing", total=config.count)
        manifest = run(config, out, lambda done, total: bar.update(task, completed=done, total=total))
    if as_json:
        print_json({"manifest": str(manifest), "count": config.count})
    else:
        messages.print(f"{config.count} images: {manifest}", soft_wrap=True)
        messages.print(f"next: zerosight train vip2clip {manifest} --out runs/first", soft_wrap=True)


def _facts(info: DatasetInfo) -> Mapping[str, object]:
    """Return what is known of a data set as JSON values."""
    expected = info.expected
    return {
        "name": info.name,
        "categories": list(info.categories),
        "normal": None if expected is None else list(expected.normal),
        "anomalous": None if expected is None else list(expected.anomalous),
        "masks": info.has_masks,
        "findings": None if info.findings is None else list(info.findings),
        "test_images": None if info.findings is None else list(info.test_positives),
        "reports": info.has_reports,
        "licence": info.licence,
        "citation": info.citation,
        "source": info.source,
        "looks_for": info.layout.looks_for,
    }


def _print_layouts(infos: tuple[DatasetInfo, ...]) -> None:
    from zerosight.data.layouts.pages import counts, test_images
    from zerosight.report.table import Table

    anomalies, chest = [], []
    for info in infos:
        if info.findings is not None:
            findings = str(len(info.findings) or "any")
            reports = "yes" if info.has_reports else "no" if info.findings else "any"
            chest.append((info.name, findings, test_images(info), reports, info.licence or "yours"))
            continue
        known = info.expected is not None
        categories = str(len(info.categories)) if known else "any"
        masks = "yes" if info.has_masks else "no" if known else "any"
        anomalies.append((info.name, categories, *counts(info), masks, info.licence or "yours"))
    heads = ("name", "kinds", "normal", "anomalous", "masks", "licence")
    messages.print(Table(heads, tuple(anomalies), words=(0, 4, 5)).rich())
    columns = ("name", "findings", "test images", "reports", "licence")
    messages.print(Table(columns, tuple(chest), words=(0, 3, 4)).rich())
    messages.print("next: zerosight data check NAME:FOLDER, then zerosight evaluate --data NAME:FOLDER")


def _shares(parts: list[str]) -> dict[str, float]:
    """Return the shares by name."""
    shares = {}
    for part in parts:
        name, _, share = part.partition("=")
        try:
            shares[name] = float(share)
        except ValueError:
            raise ConfigError(f"{part}: should be NAME=SHARE, such as train=0.8") from None
    return shares


def _root(dataset: Dataset) -> Path:
    """Return the folder that a data set's names are relative to, absolute."""
    from zerosight.data.manifest import Manifest

    root = dataset.root if isinstance(dataset, Manifest) else Path(dataset.header.root)
    return root.absolute()

"""``zerosight reports``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerosight.choices import ReportPart
from zerosight.cli.console import messages, print_json, progress
from zerosight.cli.options import AsJson
from zerosight.errors import DataError

if TYPE_CHECKING:
    from zerosight.data.chest.agreement import Agreement
    from zerosight.data.manifest import Record

app = typer.Typer(help="Read findings in the text of chest X-ray reports.", no_args_is_help=True)
_LARGEST = 10_000_000


@app.callback()
def _group() -> None:
    """Keep the action as a word of the command."""


@app.command("extract")
def extract_report_labels(
    paths: Annotated[list[Path], typer.Argument(help="text files, one report each")],
    mentions: Annotated[bool, typer.Option("--mentions", help="show the sentences too")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the findings that reports affirm, doubt or deny.

    Example: zerosight reports extract report.txt --mentions
    """
    from zerosight.data.chest.extract import find_mentions, report_labels
    from zerosight.data.chest.reports import clean_report

    for path in paths:
        text = _read(path)
        report, labels = clean_report(text), report_labels(text)
        found = list(find_mentions(report.text)) if report.english else []
        if as_json:
            facts = {"english": report.english, "cut": report.cut, "labels": labels}
            quotes = [{"finding": m.finding, "status": m.status, "sentence": m.sentence} for m in found]
            print_json({"source": str(path)} | facts | ({"mentions": quotes} if mentions else {}))
            continue
        present, unsure = ([n for n, label in labels.items() if label == wanted] for wanted in (1, None))
        said = "not English, not read" if not report.english else ", ".join(present) or "nothing"
        doubt = f"; uncertain: {', '.join(unsure)}" if report.english and unsure else ""
        typer.echo(f"{path}: {said}{doubt}")
        for mention in found if mentions else ():
            typer.echo(f"  {mention.status:9} {mention.finding}: {mention.sentence}")


@app.command()
def label(
    data: Annotated[str, typer.Argument(help="LAYOUT:ROOT, a folder or a manifest", metavar="DATA")],
    out: Annotated[Path, typer.Option("-o", "--out", help="the manifest to write")],
    as_json: AsJson = False,
) -> None:
    """Write a manifest whose rows with a report and without labels get the labels read in the report.

    Example: zerosight reports label train.jsonl -o labelled.jsonl
    """
    from dataclasses import replace

    from zerosight.data.chest.extract import label_records
    from zerosight.data.layouts import open_dataset
    from zerosight.data.manifest import Manifest, write_manifest

    dataset = open_dataset(data)
    labelled = 0

    def counted() -> Iterator[Record]:
        nonlocal labelled
        for record in label_records(dataset.records()):
            labelled += bool(record.labels)
            yield record

    root = dataset.root if isinstance(dataset, Manifest) else Path(dataset.header.root)
    header = replace(dataset.header, root=str(root.absolute()))
    with progress("reports", quiet=as_json) as bar:
        count = write_manifest(out, header, bar.track(counted(), description="reading"))
    if as_json:
        print_json({"manifest": str(out), "images": count, "labelled": labelled})
    else:
        messages.print(f"{labelled} of {count} images have labels: {out}", soft_wrap=True, markup=False)


@app.command()
def check(
    part: Annotated[
        ReportPart, typer.Option(help="reports that the word lists were not written on, were, or all")
    ] = "held-out",
    archive: Annotated[
        Path | None, typer.Option(help="NLMCXR_reports.tgz (the one in torchxrayvision)")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the extractor with the terms that people gave to the Indiana reports.

    Example: zerosight reports check
    """
    from zerosight.data.chest.agreement import label_agreement
    from zerosight.data.chest.indiana import indiana_reports

    rows = label_agreement(indiana_reports(archive), part)
    if as_json:
        print_json([row.to_json() for row in rows])
    else:
        _print_agreement(rows)


def _read(path: Path) -> str:
    """Return the text of a report.

    Raises:
        DataError: The file cannot be read or is too large to be one.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); give text files") from None
    if len(content) > _LARGEST:
        raise DataError(f"{path}: is larger than {_LARGEST:,} bytes; give one report per file")
    return content.decode("utf-8", errors="replace")


def _print_agreement(rows: tuple[Agreement, ...]) -> None:
    typer.echo("| finding | indexed | precision | recall | F1 | uncertain (indexed) |")
    typer.echo("|---|---:|---:|---:|---:|---:|")
    for row in rows:
        rates = " | ".join(
            "n/a" if rate != rate else f"{rate:.3f}" for rate in (row.precision, row.recall, row.f1)
        )
        indexed = row.both + row.index_only + row.uncertain_indexed
        typer.echo(f"| {row.finding} | {indexed} | {rates} | {row.uncertain} ({row.uncertain_indexed}) |")

"""The ``zerosight`` command: known errors become one line, everything else is a bug and says so."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from zerosight import __version__
from zerosight.cli import (
    ablate,
    anchors,
    benchmark,
    calibrate,
    data,
    demo,
    evaluate,
    export,
    fit,
    import_,
    models,
    predict,
    protocol,
    reports,
    serve,
    train,
    verify,
)
from zerosight.cli.stops import INTERRUPTED, TERMINATED, stoppable
from zerosight.errors import ZerosightError, printable

app = typer.Typer(
    name="zerosight",
    help="Find defects and lesions in images of things never seen in training.",
    epilog="Start with: zerosight demo. Then: zerosight predict PHOTOS --out results",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("predict")(predict.predict)
app.command("demo")(demo.demo)
app.command("fit")(fit.fit)
app.command("calibrate")(calibrate.calibrate)
app.command("evaluate")(evaluate.evaluate)
app.add_typer(train.app, name="train")
app.add_typer(data.app, name="data")
app.add_typer(protocol.app, name="protocol")
app.add_typer(ablate.app, name="ablate")
app.add_typer(anchors.app, name="anchors")
app.add_typer(reports.app, name="reports")
app.add_typer(import_.app, name="import")
app.command("export")(export.export)
app.command("serve")(serve.serve)
app.command("models")(models.models)
app.add_typer(verify.app, name="verify")
app.add_typer(benchmark.app, name="benchmark")


def _version(wanted: bool | None) -> None:
    if wanted:
        typer.echo(f"zerosight {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool | None, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = None,
) -> None:
    """Shared options."""


def run() -> None:
    """Run the command line; exit status 1 for a known error, 130 when interrupted, 143 when terminated."""
    _fill_closed_streams()
    with stoppable():
        try:
            app()
        except ZerosightError as error:
            print(printable(f"error: {error}"), file=sys.stderr)
            sys.exit(1)
        except (KeyboardInterrupt, SystemExit) as stop:
            status = stop.code if isinstance(stop, SystemExit) else INTERRUPTED
            if status not in (INTERRUPTED, TERMINATED):
                raise
            how = "interrupted" if status == INTERRUPTED else "terminated"
            print(f"{how}; what was finished is kept", file=sys.stderr)
            sys.exit(status)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is buffered has nowhere to go
            sys.exit(141)
        except OSError as error:
            print(printable(f"error: {error}"), file=sys.stderr)
            sys.exit(1)


def _fill_closed_streams() -> None:
    """Lead closed standard streams nowhere, or the next file would get their numbers and their words."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)

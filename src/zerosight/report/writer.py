"""Writer: results on disk as soon as they are known, so that an interrupted run keeps what it did.

A folder of results holds::

    predictions.jsonl   one line per image, on disk before the next image is written; the record of the run
    predictions.csv     the same as a table, written at the end, even of an interrupted run
    run.json            the settings of the run, if it was given any
    previews/NAME.jpg   the photo, small, for the report
    …/NAME.png          what the form draws: heatmaps and outlines, or a folder of maps per finding

A line is written after its pictures, so every picture that a line names is there.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from PIL import Image

from zerosight.errors import OutputError
from zerosight.report.forms import AnomalyForm, Form, safe_name
from zerosight.report.tables import CSV, PREDICTIONS, FailedRow, final_rows, read_rows
from zerosight.types import Failure, FindingPrediction, Prediction

SETTINGS = "run.json"


class ResultWriter:
    """Appends results to a folder; a context manager that finishes the folder however the run ends.

    Attributes:
        out: The folder.
        done: Sources with a prediction on disk. Failures are not among them: resuming tries them again, and
            the last line about a source counts.
    """

    def __init__(
        self,
        out: Path,
        *,
        resume: bool = False,
        overwrite: bool = False,
        settings: Mapping[str, Any] | None = None,
        form: Form | None = None,
    ) -> None:
        """Open the folder, and make it if it is not there.

        Args:
            out: The folder; files in it that are no results are left alone.
            resume: Continue the results that are there; a last line cut in the middle is dropped.
            overwrite: Remove the results that are there.
            settings: What the results depend on (model, thresholds), as JSON values. Results are only
                continued with the settings they were begun with.
            form: What kind of predictions these are; anomalies unless told otherwise.

        Raises:
            OutputError: The folder cannot be written, or holds results and neither flag says what to do, or
                holds results of other settings.
        """
        self.out = out
        self.form: Form = form or AnomalyForm()
        self.done: set[str] = set()
        self._names: dict[str, str] = {}  # of the pictures, without case → source
        path = out / PREDICTIONS
        with _writing(out):
            out.mkdir(parents=True, exist_ok=True)
            if path.exists() and overwrite:
                self._remove_results(path)
            begun = path.exists() and path.stat().st_size > 0
            if begun and not resume:
                raise OutputError(
                    f"{out}: holds results already; resume or overwrite them, or use another folder"
                )
            self._settle(dict(settings or {}), begun)
            end = self._read_done(path) if begun else 0
            self._lines = path.open("ab", buffering=0)
            self._lines.truncate(end)

    def __enter__(self) -> ResultWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            with suppress(OutputError):  # the first error is the one to tell
                self.close()

    def add(self, result: Prediction | FindingPrediction | Failure, image: Image.Image | None = None) -> None:
        """Write one result.

        Args:
            result: The prediction, or why there is none.
            image: The photo at the prediction's size, for the pictures; without it none are made.

        Raises:
            OutputError: It cannot be written; everything added before is kept.
        """
        values = result.to_json()
        if not isinstance(result, Failure) and image is not None:
            values["files"] = self._save_pictures(result, image)
        line = json.dumps(values, allow_nan=False).encode() + b"\n"
        with _writing(self.out / PREDICTIONS):
            end = self._lines.seek(0, os.SEEK_END)
            try:
                while line:
                    line = line[self._lines.write(line) :]
            except OSError:
                self._lines.truncate(end)  # not half a line
                raise
        if not isinstance(result, Failure):
            self.done.add(result.source)

    def close(self) -> None:
        """Write the table; closing twice does nothing more.

        Raises:
            OutputError: The table cannot be written.
        """
        if self._lines.closed:
            return
        with _writing(self.out / CSV):
            self._lines.close()
            self.form.write_table(self.out / CSV, final_rows(self.out / PREDICTIONS, self.form.parse))

    def _save_pictures(self, result: Prediction | FindingPrediction, image: Image.Image) -> dict[str, str]:
        """Save the pictures of one image and return their paths in the folder, by kind."""
        name = self._picture_name(result.source)
        pictures = self.form.pictures(result, image.convert("RGB"))
        files = {kind: self.form.place(kind, name) for kind in pictures}
        for kind, picture in pictures.items():
            path = self.out / files[kind]
            with _writing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                picture.save(path, quality=88, compress_level=1)  # of JPEG, and of PNG
        return files

    def _picture_name(self, source: str) -> str:
        """Return a file name for the source that no other source of the folder has."""
        name = safe_name(source)
        if self._names.setdefault(name.casefold(), source) != source:
            name += "-" + hashlib.sha256(source.encode(errors="surrogatepass")).hexdigest()[:8]
            self._names[name.casefold()] = source
        return name

    def _read_done(self, path: Path) -> int:
        """Learn what is done, and return where the last whole line ends."""
        end = 0
        for row, end in read_rows(path, self.form.parse):  # noqa: B007 - its last value is the answer
            if not isinstance(row, FailedRow):
                self.done.add(row.source)
                for file in row.files.values():
                    self._names[Path(file).stem.casefold()] = row.source
        return end

    def _settle(self, settings: dict[str, Any], begun: bool) -> None:
        """Save the settings, or refuse those that the results were not begun with."""
        path = self.out / SETTINGS
        settings = json.loads(json.dumps(settings))
        if begun and path.exists():
            try:
                before = json.loads(path.read_bytes())
            except ValueError:
                raise OutputError(
                    f"{path}: is not JSON; overwrite the results, or use another folder"
                ) from None
            changed = sorted(key for key in settings | before if settings.get(key) != before.get(key))
            if changed:
                raise OutputError(
                    f"{self.out}: was begun with another {', '.join(changed)}; use the same again, "
                    "overwrite the results, or use another folder"
                )
        elif settings:
            path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")

    def _remove_results(self, path: Path) -> None:
        """Remove what an earlier run wrote here, and nothing else."""
        with suppress(OutputError):  # of damaged lines: they are to go as well
            for row, _ in read_rows(path, self.form.parse):
                for kind, file in row.files.items() if not isinstance(row, FailedRow) else ():
                    if file == self.form.place(kind, Path(file).stem):  # a line might name any file
                        (self.out / file).unlink(missing_ok=True)
        for name in (CSV, SETTINGS, "report.html", PREDICTIONS):
            (self.out / name).unlink(missing_ok=True)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn the system's refusal to write into one line."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{path}: cannot be written ({reason}); what was written before is kept") from None

"""What the command line of ``zerosight predict`` says, and which images it names."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from zerosight.choices import (
    Annotations,
    Arithmetic,
    AugmentChoice,
    MapName,
    OnError,
    Pictures,
    RawMaps,
    Runtime,
    ScoreMode,
)
from zerosight.errors import ConfigError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from zerosight.report.mirror import Mirror

Parquet = Literal["rows", "maps"]


@dataclass(frozen=True, slots=True)
class AnomalyOptions:
    """What the command line says about anomalies; None and False were not given.

    Attributes:
        pixel_threshold: Map values at or above it form regions.
        precision: How to compute; None computes exactly.
        compile: Whether to translate the model first.
        runtime: What computes the model.
        tile: Side of tiles in pixels; 0 takes the model's input size.
        overlap: Share that neighbouring tiles share; None takes 0.25.
        normals: Normal images, folders or patterns to compare with.
        alpha: Share of normal images that may be called anomalous; None takes 0.05.
        normals_folder: Where the normal images of a model that knows some lie by now.
        batch_reference: Whether the images are judged by each other.
        augment: Which turned copies of the normal images are compared with, too; None takes none.
        colour_bar: Whether heatmaps have their colours beside them.
        masks: Whether to save masks.
        numbers: How to save maps as numbers; None does not.
        pictures: Of which images heatmap, outline and preview are drawn; None draws all.
        annotations: For which tool regions are written; None writes none.
    """

    pixel_threshold: float | None = None
    precision: Arithmetic | None = None
    compile: bool = False
    runtime: Runtime = "auto"
    tile: int | None = None
    overlap: float | None = None
    normals: tuple[str, ...] = ()
    alpha: float | None = None
    normals_folder: Path | None = None
    batch_reference: bool = False
    augment: AugmentChoice | None = None
    colour_bar: bool = False
    masks: bool = False
    numbers: RawMaps | None = None
    pictures: Pictures | None = None
    annotations: Annotations | None = None

    @property
    def graph(self) -> Runtime | None:
        """The runtime where one of graphs was named; PyTorch and what comes by itself go with every model."""
        return self.runtime if self.runtime in ("onnx", "openvino") else None

    def needs_torch(self) -> list[str]:
        """Return the options that were given and that only PyTorch can follow."""
        asked = {"normals": self.normals, "batch-reference": self.batch_reference, "compile": self.compile}
        return [name for name, value in asked.items() if value]

    def saved(self) -> dict[str, object]:
        """Return what is to be saved beyond the usual, by option; None where it is not."""
        return {
            "pictures": self.pictures,
            "colour_bar": self.colour_bar or None,
            "masks": self.masks or None,
            "maps": self.numbers,
            "annotations": self.annotations,
        }


@dataclass(frozen=True, slots=True)
class FindingOptions:
    """What the command line says about findings; None was not given.

    Attributes:
        labels: Names joined by commas; None asks for ChestX-ray14's.
        descriptions: File of descriptions for further findings.
        write: Whether the language model may describe findings that have no description.
        mode: How to score; None takes the model's.
        maps: Whether to make maps.
        map: How; None takes the model's.
        all_maps: Whether to make them of findings below their threshold, too.
        dicom: Kinds of DICOM objects, joined by commas; None makes none.
        deidentify: Whether they say nothing of the patient.
    """

    labels: str | None = None
    descriptions: Path | None = None
    write: bool = False
    mode: ScoreMode | None = None
    maps: bool = True
    map: MapName | None = None
    all_maps: bool = False
    dicom: str | None = None
    deidentify: bool = False


@dataclass(frozen=True, slots=True)
class PredictOptions:
    """What the command line says, whatever the model finds.

    Attributes:
        paths: Images, folders, patterns; ``-`` for a list on standard input.
        model: A shipped model's name, a folder or a graph.
        out: Folder for results; None prints only.
        mirror: What sends them on from there to a store; None leaves them there.
        threshold: From which score on an image is anomalous, or a finding present; None takes the model's.
        device: Where the model runs.
        batch_size: Images per pass.
        on_error: What to do about an unreadable image.
        resume: Go on with an interrupted run.
        overwrite: Replace results.
        report: Whether to write pictures and a page.
        as_json: Print JSON lines.
        parquet: Also write a Parquet table, of rows alone or with maps.
        every: Seconds from one picture of a video to the next; None takes 1, and leaves videos in folders.
        on: The Ray cluster that does the work; None works here.
        workers: Models in the cluster; None takes as many as there is room for.
        gpus: GPUs of each; None takes one where there are any.
        anomalies: Of models of anomalies.
        findings: Of models of findings.
    """

    paths: list[str]
    model: str
    out: Path | None = None
    mirror: Mirror | None = None
    threshold: float | None = None
    device: str = "cpu"
    batch_size: int = 8
    on_error: OnError = "skip"
    resume: bool = False
    overwrite: bool = False
    report: bool = True
    as_json: bool = False
    every: float | None = None
    parquet: Parquet | None = None
    on: str | None = None
    workers: int | None = None
    gpus: float | None = None
    anomalies: AnomalyOptions = field(default_factory=AnomalyOptions)
    findings: FindingOptions = field(default_factory=FindingOptions)

    @property
    def store(self) -> str | None:
        """Address of the results in a store; None where they stay here."""
        return self.mirror.address if self.mirror else None

    def shown(self, name: str) -> str:
        """Return what messages call one of the results."""
        return f"{self.store}/{name}" if self.store else str(Path(self.out or "") / name)

    def begin(self) -> None:
        """Begin to send results to the store; to be called when their folder is open."""
        if self.mirror:
            self.mirror.begin()

    def advance(self, bar: Progress, task: TaskID, images: int = 1) -> None:
        """Tell that images are done, and send to the store what is due."""
        bar.advance(task, images)
        if self.mirror:
            self.mirror.tick()

    def sent_pictures(self) -> str | None:
        """Send what is left, and return the address of the pictures; None where they are still here."""
        if self.mirror:
            self.mirror.finish()
        return self.store

    def todo(
        self, is_done: Callable[[str], bool], images: Iterable[Path | str] | None = None
    ) -> tuple[Iterable[Path | str], int | None]:
        """Return the images that are not done, and how many they are.

        Those of stores, which may be millions, are listed while the first are scored: their number is None.
        """
        from zerosight.stores import is_address

        every = self.images() if images is None else images
        wanted = (image for image in every if not is_done(str(image)))
        if any(map(is_address, self.paths)):
            return wanted, None
        found = list(wanted)
        return found, len(found)

    def named(self) -> list[Path | str] | None:
        """Return all images, so that a name of none is told before a model is loaded; None of stores."""
        from zerosight.stores import is_address

        return None if any(map(is_address, self.paths)) else list(self.images())

    def images(self) -> Iterator[Path | str]:
        """Yield the images that the paths name; of files that hold several, each."""
        from zerosight.data import video
        from zerosight.data.find import find_images, listed_images
        from zerosight.data.pages import EVERY, pages

        every, also = self.every or EVERY, video.SUFFIXES if self.every else ()
        for path in self.paths:
            for file in listed_images(_standard_input(), also) if path == "-" else find_images([path], also):
                yield from pages(file, every)


def _standard_input() -> bytes:
    """Return all of standard input; None is what Python makes of one that is closed."""
    if sys.stdin is None:
        raise ConfigError("-: standard input is closed; give it a list of images, or name them")
    return sys.stdin.buffer.read()

"""``zerosight anchors``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerosight.cli.console import messages, print_json
from zerosight.cli.options import AsJson

if TYPE_CHECKING:
    from zerosight.models.llava_radz.anchors import Anchors
    from zerosight.models.llava_radz.descriptions import Description

app = typer.Typer(help="What findings look like in words, and those words as vectors.", no_args_is_help=True)
DescriptionFile = Annotated[
    Path | None, typer.Option("--descriptions", help="YAML or JSON with descriptions of your own")
]
ANSWER_TOKENS = 160


@app.command()
def show(
    names: Annotated[list[str] | None, typer.Argument(help="findings; all if none is named")] = None,
    descriptions: DescriptionFile = None,
    as_json: AsJson = False,
) -> None:
    """Print the descriptions of findings and their sources.

    Example: zerosight anchors show pneumothorax "pleural effusion"
    """
    from zerosight.models.llava_radz.descriptions import find_descriptions, load_descriptions

    known = load_descriptions(descriptions)
    found = find_descriptions(names or known, known)
    if as_json:
        print_json({entry.name: entry.model_dump(mode="json", exclude={"name"}) for entry in found})
    else:
        typer.echo("\n\n".join(map(_as_text, found)))


@app.command()
def build(
    model: Annotated[str, typer.Option(help="a shipped model or a model folder")],
    labels: Annotated[str, typer.Option(help='findings, as in "pneumonia, pleural effusion"')],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="folder to keep them in; the user's cache if none")
    ] = None,
    descriptions: DescriptionFile = None,
    write: Annotated[
        bool,
        typer.Option("--write-descriptions", help="let the model describe findings that nobody described"),
    ] = False,
    seed: Annotated[int, typer.Option(help="of the descriptions that the model writes")] = 0,
    as_json: AsJson = False,
) -> None:
    """Encode the descriptions of findings with a model and keep the vectors, once per model and list.

    Example: zerosight anchors build --model runs/first --labels "pneumonia, covid-19"
    """
    from zerosight.models.llava_radz.anchor_cache import AnchorCache, user_folder
    from zerosight.models.llava_radz.anchors import anchor_texts, build_anchors
    from zerosight.models.llava_radz.descriptions import check_findings, find_descriptions, load_descriptions
    from zerosight.models.llava_radz.folder import load_model
    from zerosight.models.llava_radz.generated_descriptions import describe_missing

    known = load_descriptions(descriptions)
    names = check_findings(labels.split(","))
    if not write:
        find_descriptions(names, known)  # an unknown finding is told before minutes of loading
    cache = AnchorCache(out or user_folder())
    radz = load_model(model)
    if write:
        known |= describe_missing(
            lambda prompt, seed: radz.model.mllm.generate(prompt, seed, ANSWER_TOKENS),
            *(names, known, radz.key, seed, cache.folder / "written"),
        )
    anchors = build_anchors(
        lambda texts: radz.model.embed_texts(texts).pooled,
        anchor_texts(names, known),
        radz.key,
        radz.card.trained_on,
        cache,
    )
    _report(anchors, cache.path(anchors.key), as_json)


def _as_text(entry: Description) -> str:
    lines = [
        entry.name,
        *(f"  + {text}" for text in entry.presence),
        *(f"  - {text}" for text in entry.absence),
    ]
    return "\n".join([*lines, f"  source: {entry.source or 'not given'}"])


def _report(anchors: Anchors, path: Path, as_json: bool) -> None:
    facts = {
        "file": str(path),
        "key": anchors.key,
        "names": list(anchors.names),
        "provenance": anchors.provenance,
        "used_in_training": list(anchors.used_in_training),
    }
    if as_json:
        print_json(facts)
        return
    seen = ", ".join(anchors.used_in_training)
    provenance = anchors.provenance + (f" (used in training: {seen})" if seen else "")
    messages.print(f"{len(anchors.names)} findings, {provenance}: {path}", soft_wrap=True, markup=False)

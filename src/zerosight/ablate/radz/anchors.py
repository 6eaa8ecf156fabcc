"""What findings are told by: the package's descriptions, others from a file, or sentences by template."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field

from zerosight.choices import ScoreMode
from zerosight.config import Config
from zerosight.data.chest.names import NO_FINDING
from zerosight.files import write_atomically
from zerosight.models.llava_radz.descriptions import Description, find_descriptions, load_descriptions

ABNORMAL = "The chest radiograph is abnormal."


class AnchorSettings(Config):
    """What the anchors of findings are made of.

    Attributes:
        wording: ``descriptions`` are the package's own; ``template`` puts the finding's name into a sentence.
        file: Descriptions that go over the package's, such as a language model's.
        texts: Texts of each finding's presence and absence, the first ones; None takes all.
        present: The template's sentence for a finding that is there, with ``{}`` for its name.
        absent: Likewise for one that is not.
        normal: The template's sentence for "no finding".
        names: What the template calls a finding, by its canonical name; others go by that.
    """

    wording: Literal["descriptions", "template"] = "descriptions"
    file: Path | None = None
    texts: int | None = Field(None, ge=1)
    present: str = Field("There is {}.", pattern=r"\{\}", max_length=200)
    absent: str = Field("There is no {}.", pattern=r"\{\}", max_length=200)
    normal: str = Field("The chest radiograph is normal.", min_length=1, max_length=200)
    names: dict[str, str] = Field({})

    def descriptions(self, names: Iterable[str] | None = None) -> dict[str, Description]:
        """Return the texts of findings by canonical name.

        Args:
            names: The findings; None takes all that are described.

        Raises:
            ConfigError: The file cannot be read.
            DescriptionError: A finding has no description.
        """
        known = load_descriptions(self.file)
        if self.wording == "template":
            return {name: self._by_template(name) for name in {NO_FINDING, *(names or known)}}
        found = find_descriptions({NO_FINDING, *(names or known)}, known)
        return {one.name: self._first(one) for one in found}

    def write(self, path: Path) -> Path:
        """Write the texts of all findings as a file of descriptions, and return its path.

        Raises:
            OutputError: The file cannot be written.
        """
        texts = {
            name: one.model_dump(mode="json", exclude={"name"}) for name, one in self.descriptions().items()
        }
        ordered = {name: texts[name] for name in sorted(texts)}
        write_atomically(path, yaml.safe_dump(ordered, allow_unicode=True).encode())
        return path

    def _by_template(self, name: str) -> Description:
        called = self.names.get(name, name)
        present, absent = self.present.replace("{}", called), self.absent.replace("{}", called)
        if name == NO_FINDING:
            present, absent = self.normal, ABNORMAL
        return Description(name=name, presence=(present,), absence=(absent,), source="by template")

    def _first(self, one: Description) -> Description:
        cut = {"presence": one.presence[: self.texts], "absence": one.absence[: self.texts]}
        return one.model_copy(update=cut)


class Asking(AnchorSettings):
    """How findings are asked for at the test; nothing of it changes what is trained.

    Attributes:
        mode: How images are scored; None takes the mode of training.
        way: By the anchors, or in words: "Is there a pleural effusion? Answer yes or no."
        shuffled: Score every finding by the anchors of each other one in turn, and tell the mean: a control
            that must fall to chance.
    """

    mode: ScoreMode | None = None
    way: Literal["features", "vqa"] = "features"
    shuffled: bool = False

"""What a detector is made of: a method on frozen features, the levels it sees, and how it judges an image."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from zerosight.config import Config
from zerosight.models.vip2clip.config import Vip2ClipConfig

Score = Literal["unified", "global", "maximum"]

NORMAL = ("{}", "flawless {}", "intact {}", "{} in perfect order")
ABNORMAL = ("damaged {}", "{} with a defect", "broken {}", "{} with something wrong")
TEMPLATES = (
    "a photo of a {}.",
    "a close view of the {}.",
    "a dim photo of one {}.",
    "a sharp photo of a {} for inspection.",
    "the surface of a {}.",
)


class Vip2Method(Config):
    """ViP²-CLIP, whole or with a part exchanged.

    Attributes:
        conditions: What the Meta-Nets of the ICA see: the image's global feature, nothing (they see zeros),
            or there are none of them and the prompts are static.
        perception: Levels, counted from 1, at which the FGP looks at the patches; at the others the text
            feature stays as it is. None is all, () is no FGP.
    """

    kind: Literal["vip2clip"] = "vip2clip"
    conditions: Literal["image", "nothing", "none"] = "image"
    perception: tuple[int, ...] | None = None


class Sentences(Config):
    """What fixed prompts say; the wording is ours.

    Attributes:
        normal: States of a normal thing; ``{}`` is its name.
        abnormal: States of an abnormal one.
        templates: Sentences around a state.
    """

    normal: tuple[str, ...] = Field(NORMAL, min_length=1)
    abnormal: tuple[str, ...] = Field(ABNORMAL, min_length=1)
    templates: tuple[str, ...] = Field(TEMPLATES, min_length=1)


class PromptMethod(Sentences):
    """An ensemble of fixed prompts; nothing is trained."""

    kind: Literal["prompts"] = "prompts"


class LinearMethod(Sentences):
    """A trained linear layer per level brings patches to fixed prompts."""

    kind: Literal["linear"] = "linear"


class HeadsMethod(Config):
    """A small network per level for patches and one for images; no text at all.

    Attributes:
        hidden: Width of a hidden layer; 0 for none.
    """

    kind: Literal["heads"] = "heads"
    hidden: int = Field(64, ge=0, le=65_536)


Method = Annotated[Vip2Method | PromptMethod | LinearMethod | HeadsMethod, Field(discriminator="kind")]


class DetectorConfig(Config):
    """A detector of anomalies on the features of a frozen dual encoder.

    Attributes:
        method: Gives the logits of patches and of images.
        levels: Levels that it sees, counted from 1; None sees all.
        score: How an image is judged: by its most abnormal patches at every level (UTPA), by the image
            feature alone, or by the maximum of the map.
        name: What the thing is called where the method says a name; empty for none.
        numbers: The paper's numbers; τ, K and the blur hold for every method.
    """

    method: Method = Vip2Method()
    levels: tuple[int, ...] | None = Field(None, min_length=1)
    score: Score = "unified"
    name: str = Field("", max_length=200)
    numbers: Vip2ClipConfig = Vip2ClipConfig()

    @field_validator("method", mode="before")
    @classmethod
    def _is_vip2clip_unless_it_says(cls, method: Any) -> Any:
        """Take a method that says no kind for one of ViP²-CLIP."""
        return {"kind": "vip2clip"} | method if isinstance(method, dict) else method

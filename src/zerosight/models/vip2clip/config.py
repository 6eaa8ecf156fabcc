"""The numbers of ViP²-CLIP."""

from __future__ import annotations

from pydantic import Field

from zerosight.config import Config


class Vip2ClipConfig(Config):
    """The model's numbers; the defaults are the paper's."""

    n_context: int = Field(7, ge=1, le=512, description="learnable tokens before the state word (e)")
    n_conditioned: int = Field(3, ge=1, le=512, description="learnable tokens conditioned on the image (r)")
    hidden: int = Field(384, ge=1, le=65_536, description="width inside a Meta-Net")
    heads: int = Field(8, ge=1, le=4096, description="attention heads of the FGP")
    temperature: float = Field(0.07, ge=1e-4, le=100, description="softmax temperature (τ)")
    top_k: int = Field(50, ge=1, le=1_000_000, description="patches per level that make the score (K)")
    blur_sigma: float = Field(
        8.0, ge=0, le=1000, description="Gaussian blur of the map, pixels at the model's size"
    )
    normal_word: str = Field(
        "good", max_length=200, description="'damaged' reproduces the published weights' quirk"
    )
    abnormal_word: str = Field("damaged", max_length=200)

    def sizes(self, prefix: str = "") -> dict[str, tuple[str, int]]:
        """Return which weight begins with which size, by key, see :func:`zerosight.weights.check_sizes`."""
        return {
            "n_context": (f"{prefix}ica.context_normal", self.n_context),
            "n_conditioned": (f"{prefix}ica.conditioned", self.n_conditioned),
            "hidden": (f"{prefix}ica.meta_nets.0.0.weight", self.hidden),
        }

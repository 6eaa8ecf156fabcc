"""The numbers of ViP²-CLIP."""

from __future__ import annotations

from pydantic import Field

from zerosight.config import Config


class Vip2ClipConfig(Config):
    """The model's numbers; the defaults are the paper's."""

    n_context: int = Field(7, ge=1, description="learnable tokens before the state word (e)")
    n_conditioned: int = Field(3, ge=1, description="learnable tokens conditioned on the image (r)")
    hidden: int = Field(384, ge=1, description="width inside a Meta-Net")
    heads: int = Field(8, ge=1, description="attention heads of the FGP")
    temperature: float = Field(0.07, gt=0, description="softmax temperature (τ)")
    top_k: int = Field(50, ge=1, description="patches per level that make the score (K)")
    blur_sigma: float = Field(8.0, ge=0, description="Gaussian blur of the map, pixels at the model's size")
    normal_word: str = Field("good", description="'damaged' reproduces the published weights' quirk")
    abnormal_word: str = "damaged"

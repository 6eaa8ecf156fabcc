"""What to export, and as what."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from zerosight.choices import GraphFormat, Precision
from zerosight.config import Config

SUFFIX: dict[GraphFormat, str] = {"onnx": ".onnx", "openvino": ".xml"}


class ExportConfig(Config):
    """The settings of an export."""

    model: str = Field("vip2clip-lite", description="a shipped model's name or a model folder")
    out: Path = Field(description="the file to write, .onnx or .xml")
    format: GraphFormat = "onnx"
    precision: Precision = Field("fp32", description="of the weights; int8 also of the tower's arithmetic")
    size: int | None = Field(None, ge=8, le=2048, description="input size in pixels; the model's own if None")
    calibration: tuple[str, ...] = Field((), description="images, folders, patterns; int8 needs them")
    calibration_images: int = Field(128, ge=1, description="at most so many of them are used")

    @model_validator(mode="after")
    def _fits(self) -> ExportConfig:
        wanted = SUFFIX[self.format]
        if self.out.suffix.lower() != wanted:
            raise ValueError(f"out should end in {wanted} for --format {self.format}, is '{self.out}'")
        if self.precision == "int8" and not self.calibration:
            raise ValueError("int8 needs --calibration FOLDER with 50 to 300 images like those to come")
        return self

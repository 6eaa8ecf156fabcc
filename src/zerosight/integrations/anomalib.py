"""ViP²-CLIP as a model of anomalib: in its Engine, its command line, with its metrics and pictures.

Needs anomalib 2.5 or newer: ``pip install 'zerosight[anomalib]'``. Scores and maps are those of
:class:`~zerosight.predict.anomalies.Predictor`, to the last digit: images come from anomalib as RGB in
[0, 1] and are turned back into the bytes they were, then resized as the model wants them. Maps and masks
are compared at the model's own size, as ``zerosight evaluate`` does.

Departures from anomalib's habits:
    - Thresholds are the model's, chosen on data held out from its training, and scores are not stretched to
      the data at hand: zero-shot means that the data of the test tell nothing.
    - What anomalib exports resizes inside the graph, without antialiasing, as all its exports do. Its scores
      are therefore close, not equal; ``zerosight export`` writes graphs that are held to the model.

Example:
    ::

        from anomalib.data import Folder
        from anomalib.engine import Engine
        from zerosight.integrations.anomalib import ViP2Clip

        data = Folder(name="parts", root="parts", normal_dir="good", abnormal_dir="bad")
        Engine().test(model=ViP2Clip(), datamodule=data)
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from anomalib import LearningType
from anomalib.data import Batch, InferenceBatch
from anomalib.metrics.evaluator import Evaluator
from anomalib.models.components import AnomalibModule
from anomalib.post_processing import PostProcessor
from anomalib.pre_processing import PreProcessor
from anomalib.visualization import Visualizer
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import resize
from torchvision.tv_tensors import Mask

from zerosight.errors import ConfigError
from zerosight.models.references.scorer import ReferenceScorer, ReferencesToMap
from zerosight.models.vip2clip.scorer import PixelsToMap, TorchScorer
from zerosight.predict.anomalies import Predictor, load
from zerosight.preprocess import Preprocess


class ViP2Clip(AnomalibModule):  # type: ignore[misc]  # of a package that is an extra
    """ViP²-CLIP, zero-shot; few-shot where normal images are given.

    Args:
        weights: A shipped model's name or a folder of ViP²-CLIP or references; no exported graph.
        normals: Normal images to compare with: a file or a folder.
        k_shot: Instead, so many images from the beginning of the data module's training part; 0 for none.
        pre_processor: As in anomalib; the default resizes as the model wants it.
        post_processor: As in anomalib; the default has the model's own thresholds.
        evaluator: As in anomalib.
        visualizer: As in anomalib.

    Raises:
        ConfigError: The model is an exported graph, or both ``normals`` and ``k_shot`` are given.
        WeightsError: There is no such model.
        DataError: No normal image can be read.
    """

    def __init__(
        self,
        weights: str = "vip2clip-lite",
        normals: str | Path | None = None,
        k_shot: int = 0,
        pre_processor: nn.Module | bool = True,
        post_processor: nn.Module | bool = True,
        evaluator: Evaluator | bool = True,
        visualizer: Visualizer | bool = True,
    ) -> None:
        if normals is not None and k_shot:
            raise ConfigError("give normals, or k_shot to take them from the training data, not both")
        self._predictor = load(weights)
        if normals is not None:
            self._predictor = self._predictor.with_normals(normals)
        self._wanted = k_shot
        self._is_few_shot = bool(k_shot) or normals is not None
        super().__init__(pre_processor, post_processor, evaluator, visualizer)
        self.model = PixelsToBatch(self._predictor)

    @property
    def name(self) -> str:
        """The model's name, which is also that of its folder of results."""
        return "ViP2Clip"

    @property
    def learning_type(self) -> LearningType:
        """Zero-shot, or few-shot with normal images."""
        return LearningType.FEW_SHOT if self._is_few_shot else LearningType.ZERO_SHOT

    @property
    def trainer_arguments(self) -> dict[str, Any]:
        """Nothing is asked of the trainer."""
        return {}

    def setup(self, stage: str) -> None:
        """Take normal images from the data module, where some are asked for.

        Raises:
            ConfigError: There is no data module, or it has too few images to train on.
        """
        if not self._wanted:
            return
        images = list(self._training_images(self._wanted))
        self._wanted = 0
        self._predictor = self._predictor.with_normals(images)
        self.model = PixelsToBatch(self._predictor)
        if isinstance(self.post_processor, PostProcessor):
            self.post_processor.image_sensitivity = 1 - self._predictor.card.thresholds.image
            self.post_processor.pixel_sensitivity = 1 - self._predictor.card.thresholds.pixel

    def validation_step(self, batch: Batch, *args: Any, **kwargs: Any) -> Batch:
        """Return the batch with scores and maps; anomalib validates such models before it tests them."""
        return self.test_step(batch, 0)

    def configure_optimizers(self) -> None:
        """Nothing is trained."""

    def configure_pre_processor(self, image_size: tuple[int, int] | None = None) -> PreProcessor:
        """Return what resizes images and masks as the model wants them.

        Raises:
            ConfigError: Another size is asked for; it belongs to the weights.
        """
        preprocess = self._predictor.scorer.preprocess
        if image_size is not None and tuple(image_size) != (preprocess.size, preprocess.size):
            raise ConfigError(f"image_size: the weights want {preprocess.size} pixels; leave it out")
        return ExactPreProcessor(preprocess)

    def configure_post_processor(self) -> PostProcessor:
        """Return what calls images and pixels anomalous at the model's own thresholds."""
        thresholds = self._predictor.card.thresholds
        return PostProcessor(
            enable_normalization=False,
            image_sensitivity=1 - thresholds.image,
            pixel_sensitivity=1 - thresholds.pixel,
        )

    def _training_images(self, count: int) -> Iterator[Image.Image]:
        """Yield the first images of the data module's training part."""
        data = getattr(self.trainer.datamodule, "train_data", None)
        if data is None or len(data) < count:
            has = 0 if data is None else len(data)
            raise ConfigError(
                f"k_shot: {count} normal images are asked for, and the data to train on have {has}"
            )
        for i in range(count):
            yield Image.fromarray(to_bytes(data[i].image))


class PixelsToBatch(nn.Module):
    """The model as anomalib calls it: resized images in, scores and maps out.

    Args:
        predictor: Of a model in PyTorch.

    Raises:
        ConfigError: It is an exported graph.
    """

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        scorer = predictor.scorer
        if not isinstance(scorer, TorchScorer | ReferenceScorer):
            raise ConfigError(f"weights: '{predictor.card.name}' is an exported graph; give a model folder")
        self.scorer = scorer.model
        self.network: list[PixelsToMap | ReferencesToMap] = [scorer.network]  # in a list: not twice a part
        self.place = torch.device("cpu")

    def forward(self, image: Tensor) -> InferenceBatch:
        """Return the scores and maps of images, both in [0, 1].

        Args:
            image: (batch, 3, size, size), RGB in [0, 1].
        """
        if image.device != self.place:
            self._move(image.device)
        pixels = (image.permute(0, 2, 3, 1) * 255).round().to(torch.uint8)
        scores, maps = self.network[0](pixels)
        return InferenceBatch(pred_score=scores, anomaly_map=maps)

    def _move(self, device: torch.device) -> None:
        """Compute on another device, where the trainer has brought the weights."""
        kind: Any = type(self.network[0])
        self.network = [kind(self.scorer.to(device).eval())]
        self.place = device


class ExactPreProcessor(PreProcessor):  # type: ignore[misc]
    """Resizes images and masks as :class:`~zerosight.preprocess.Preprocess` does; inside graphs, nearly so.

    Args:
        preprocess: The model's.
    """

    def __init__(self, preprocess: Preprocess) -> None:
        super().__init__()
        self.preprocess = preprocess
        self.transform = self._resized

    def forward(self, batch: Tensor) -> Tensor:
        """Return images resized by operations that graphs have; anomalib calls it for exported models."""
        size = [self.preprocess.size, self.preprocess.size]
        resized = resize(batch, size, interpolation=InterpolationMode.BICUBIC, antialias=False)
        return resized.clamp(0, 1)

    def checkpoint_config(self) -> dict[str, Any]:
        """Return nothing: the constants come with the weights."""
        return {}

    def load_checkpoint_config(self, config: dict[str, Any]) -> None:
        """Take nothing, likewise."""

    def _resized(self, image: Tensor, mask: Tensor | None = None) -> Any:
        """Return images, and masks where given, at the model's size."""
        pixels = np.stack([self.preprocess.pixels(Image.fromarray(to_bytes(one))) for one in image])
        resized = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(255).to(image.device)
        if mask is None:
            return resized if image.shape[-2:] == (1, 1) else (resized, None)
        small = np.stack([self.preprocess.mask(one.cpu().numpy() > 0) for one in mask])
        return resized, Mask(torch.from_numpy(small).to(mask.dtype), device=mask.device)


def to_bytes(image: Tensor) -> np.ndarray:
    """Return an image (3, height, width) in [0, 1] as the bytes (height, width, 3) it was read from."""
    return (image.permute(1, 2, 0) * 255).round().to(torch.uint8).cpu().numpy()

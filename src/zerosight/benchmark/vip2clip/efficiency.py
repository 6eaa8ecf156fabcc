"""What an image costs, part by part, in ViP²-CLIP and in the baselines on the same frozen tower.

Operations are counted by PyTorch while the parts run; times are medians of processor time, which other work
on the machine changes little; memory is the highest sum of the tensors that a part makes. One image at a
time. The baselines are those of ``zerosight ablate``, untrained: cost does not depend on weights.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from einops import repeat
from torch import Tensor, nn

from zerosight.backbones.dual_encoder import DualEncoder, ImageFeatures
from zerosight.backbones.flops import count_flops
from zerosight.backbones.normalise import normalise
from zerosight.benchmark.memory import MEGABYTE, LiveTensors
from zerosight.benchmark.vip2clip.workloads import Workload, pictures
from zerosight.models.baselines import Detector, DetectorConfig
from zerosight.models.baselines.config import HeadsMethod, LinearMethod, PromptMethod, Vip2Method
from zerosight.models.vip2clip import utpa
from zerosight.models.vip2clip.model import Vip2Clip

TOWER = "image tower"
BASELINES = {
    "two prompts (CLIP)": DetectorConfig(
        method=PromptMethod(normal=("good {}",), abnormal=("damaged {}",), templates=("a photo of a {}.",)),
        score="global",
    ),
    "ensemble (WinCLIP-like)": DetectorConfig(method=PromptMethod(), score="global"),
    "static prompts (AnomalyCLIP-like)": DetectorConfig(
        method=Vip2Method(conditions="none", perception=()), name="object", score="global"
    ),
    "linear to text (APRIL-GAN-like)": DetectorConfig(method=LinearMethod()),
    "heads without text (UniADet-like)": DetectorConfig(method=HeadsMethod()),
}
PUBLISHED = {"AnomalyCLIP": 70.7, "AdaCLIP": 107.0, "Bayes-PFL": 155.0, "UniADet": 15.7}
"""Milliseconds per image at 518 px that others report, on GPUs of their own."""


@dataclass(frozen=True, slots=True)
class PartRow:
    """One part of one method; an image at a time.

    Attributes:
        name: Of the workload.
        size: Input size in pixels.
        method: ViP²-CLIP or a baseline.
        part: Which part of it; the image tower is that of all methods.
        frozen: Numbers that are not trained.
        trainable: Numbers that are.
        gflop: 10⁹ operations.
        milliseconds: Of processor time, the median; several threads' times add up.
        tensors_mb: 10⁶ bytes of the tensors made by it that live at the same time, at most.
    """

    name: str
    size: int
    method: str
    part: str
    frozen: int
    trainable: int
    gflop: float
    milliseconds: float
    tensors_mb: float

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    work: Callable[[], object]
    frozen: int = 0
    trainable: int = 0


@torch.no_grad()
def benchmark_efficiency(workload: Workload) -> list[PartRow]:
    """Return the rows of a workload: the image tower, the parts of ViP²-CLIP, and each baseline."""
    model, _ = workload.build()
    encoder, size = model.encoder, model.encoder.preprocess.size
    images = normalise(torch.from_numpy(pictures(1, encoder.preprocess)), encoder.preprocess)
    features = encoder.encode_image(images)
    tower = _Part(TOWER, lambda: encoder.encode_image(images), _numbers(encoder.towers))
    methods = {"all": [tower], "ViP²-CLIP": list(_vip2clip_parts(model, features))}
    for name, config in BASELINES.items():
        methods[name] = list(_baseline_parts(encoder, config, features))
    return [_row(workload, size, method, part) for method, parts in methods.items() for part in parts]


def _vip2clip_parts(model: Vip2Clip, features: ImageFeatures) -> Iterable[_Part]:
    """Yield the parts of the model outside the image tower, each on what the one before gives."""
    encoder, ica = model.encoder, model.ica
    prefix, end = model.read_prefix(), ica.end_position
    if prefix:
        prompts = repeat(ica.endings(features.pooled), "batch token width -> (batch 2) token width")
    else:
        prompts = ica(features.pooled).flatten(0, 1)
    alignment = model(features, prefix)
    text, tau, size = alignment.text, model.config.temperature, encoder.preprocess.size

    def align() -> Tensor:
        cosines = utpa.text_patch_cosines(features.patches, alignment.aux_text)
        return utpa.top_cosines(cosines, tau, model.config.top_k)

    yield _Part("ICA", lambda: ica.endings(features.pooled), trainable=_numbers(ica))
    yield _Part("text tower", lambda: encoder.encode_prompts(prompts, end, prefix))
    yield _Part("FGP", lambda: model.fgp.every(text, features.patches), trainable=_numbers(model.fgp))
    yield _Part("UTPA: alignment, score", align)
    yield _Part("UTPA: map", lambda: model.anomaly_maps(alignment, size))


def _baseline_parts(encoder: DualEncoder, config: DetectorConfig, features: ImageFeatures) -> Iterable[_Part]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        detector = Detector(encoder, config).eval()
    trained = sum(parameter.numel() for parameter in detector.parameters() if parameter.requires_grad)
    text = detector.read_static()
    verdict = detector(features, text)
    size = encoder.preprocess.size
    yield _Part("method, score", lambda: detector(features, text), trainable=trained)
    yield _Part("map", lambda: detector.anomaly_maps(verdict, size))


def _row(workload: Workload, size: int, method: str, part: _Part) -> PartRow:
    part.work()
    with LiveTensors() as living:
        part.work()
    times = [_processor_seconds(part.work) for _ in range(workload.pairs)]
    return PartRow(
        name=workload.name,
        size=size,
        method=method,
        part=part.name,
        frozen=part.frozen,
        trainable=part.trainable,
        gflop=count_flops(part.work) / 1e9,
        milliseconds=1e3 * statistics.median(times),
        tensors_mb=living.peak / MEGABYTE,
    )


def _processor_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _numbers(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())

"""Classifiers of torchxrayvision: fixed labels that were taught, a supervised row beside the zero-shot ones.

    image ─ middle, grey, [−1024, 1024] ─ DenseNet-121 ─ σ ─ operating points ─ p     l = logit(p)
    z = (l / S, √(1 − |l / S|²), 0)   presence e_c, absence −e_c, normal the last axis     τ = 2 / S

so that the seam's score, σ((z · e_c + z · e_c) / τ), is p itself; 0.5 is the operating point that the makers
chose. A map is the same of every place of the last grid, without the mean.

Departures: images are resized by our filter (bicubic, smoothed); the package's own has none. The package
runs what its files of weights hold; here only their tensors are read.
Source: Cohen et al., "TorchXRayVision: A library of chest X-ray datasets and models", 2022.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from zerosight.choices import MapName
from zerosight.data.chest.names import canonical
from zerosight.errors import ConfigError, MissingExtraError, WeightsError, did_you_mean, one_line
from zerosight.files import sha256
from zerosight.models.llava_radz.anchors import Anchors, AnchorTexts
from zerosight.models.llava_radz.card import FindingCard, MapRecord
from zerosight.models.llava_radz.descriptions import Description
from zerosight.models.llava_radz.model import Embedding
from zerosight.models.peers.model import square
from zerosight.models.peers.wordless import Wordless
from zerosight.preprocess import Preprocess
from zerosight.weights import load_pickled_module, load_tensors, usable_device

SCALE = 256.0
"""S: longer than any vector of logits."""
SURE = 1e-7
"""Probabilities nearer to 0 or 1 are taken for this."""
LARGEST = 1024.0
NORMAL = "a normal chest"
SHAPE: Mapping[str, Any] = {}
"""Arguments of the package's DenseNet where they are not its own, which are those of its weights."""
CLASSES = (
    *(f"torchxrayvision.models.{name}" for name in ("DenseNet", "_DenseBlock", "_DenseLayer", "_Transition")),
    *("torch.nn.modules.container.Sequential", "torch.nn.modules.linear.Linear"),
    *("torch.nn.modules.conv.Conv2d", "torch.nn.modules.batchnorm.BatchNorm2d"),
    *("torch.nn.modules.activation.ReLU", "torch.nn.modules.pooling.MaxPool2d"),
    "torch.nn.modules.pooling.AvgPool2d",
)
"""What the package's files of whole modules are made of."""


class ClassifierCard(FindingCard):
    """What is known of a classifier that somebody else trained."""

    architecture: Literal["classifier"] = "classifier"
    licence: str = "that of the model's makers"
    maps: MapRecord = MapRecord(name="contrast")
    fingerprint: str = ""

    @property
    def foundation(self) -> dict[str, str]:
        """The model itself."""
        return {"classifier": self.name}

    def base_facts(self) -> dict[str, Any]:
        """Return what identifies the weights, and that labels taught them."""
        return {"kind": "supervised", "base_fingerprint": self.fingerprint}


class Classifier(Wordless):
    """A classifier behind the seam; see :class:`~zerosight.models.finding_model.FindingModel`.

    Args:
        name: What to call it.
        network: The package's DenseNet, frozen.
        facts: What the package says of its weights: labels, operating points, size of the input.
        package: The package.
        device: Where it is.
    """

    kind = "a classifier"

    def __init__(
        self,
        name: str,
        network: nn.Module,
        facts: Mapping[str, Any],
        package: ModuleType,
        device: torch.device | str = "cpu",
    ) -> None:
        self.name = name
        network.eval().requires_grad_(False).to(device)
        self.tower, self.head = network.get_submodule("features"), network.get_submodule("classifier")
        self.outputs = [i for i, label in enumerate(facts["labels"]) if label]  # the others are not trained
        self.labels = tuple(canonical(facts["labels"][i]) for i in self.outputs)
        self.points = torch.tensor(facts["op_threshs"], device=device)
        self.op_norm = package.models.op_norm
        self.device = device
        grey = (0.5, 0.5, 0.5)
        self.preprocess = Preprocess(int(facts["input_resolution"]), grey, grey, "crop")

    @property
    def temperature(self) -> Float[Tensor, ""]:
        """That which makes a product of feature and anchor the classifier's own logit."""
        return torch.tensor(2 / SCALE)

    def see(self, pixels: UInt8[Tensor, "batch size size 3"]) -> Float[Tensor, "batch token vision"]:
        """Return the logits of each image and, behind them, those of every place of the last grid."""
        grey = pixels[..., 0].to(self.device)[:, None].float()
        found = self.tower((2 * grey / 255 - 1) * LARGEST).relu().flatten(2).transpose(1, 2)
        tokens = torch.cat([found.mean(1, keepdim=True), square(found)], dim=1)
        plain = self.head(tokens).sigmoid().flatten(0, 1)
        known = self.op_norm(plain, self.points).clamp(SURE, 1 - SURE)
        return known.logit()[:, self.outputs].unflatten(0, tokens.shape[:2])

    def embed_images(self, seen: Float[Tensor, "batch token vision"]) -> Embedding:
        """Return the features of images; the local one is the same."""
        found = _sphere(seen[:, 0])
        return Embedding(found, found)

    def attention(self, seen: Float[Tensor, "batch token vision"]) -> None:
        """Return None: it does not say where it looked."""
        return

    def maps(
        self, way: MapName, seen: Float[Tensor, "1 token vision"], anchors: Anchors
    ) -> Float[Tensor, "classes grid grid"]:
        """Return the probability of a finding at every place of the last grid.

        Raises:
            ConfigError: The map is another one.
        """
        if way != "contrast":
            raise ConfigError(f"map: '{way}' needs a decoder; of a classifier there is 'contrast'")
        columns = [self.labels.index(name) for name in anchors.names]
        grids = seen[0, 1:, columns].sigmoid().T
        side = round(grids.shape[1] ** 0.5)
        return grids.unflatten(1, (side, side))

    def texts(self, names: Sequence[str], known: Mapping[str, Description], given: bool) -> AnchorTexts:
        """Return the names; there are no other words.

        Raises:
            ConfigError: A finding is not among the labels, or the user gave descriptions.
        """
        if given:
            raise ConfigError(f"{self.name}: reads no words; leave --descriptions out")
        plain = tuple(map(canonical, names))
        unknown = [name for name in plain if name not in self.labels]
        if unknown:
            raise ConfigError(
                f"{self.name}: has fixed labels and knows no {one_line(', '.join(unknown), 120)}; choose "
                f"with --labels among: {', '.join(self.labels)}"
            )
        pairs = [((name,), (f"no {name}",)) for name in plain]
        return AnchorTexts(plain, tuple(a for a, _ in pairs), tuple(b for _, b in pairs), (NORMAL,))

    def embed_texts(self, texts: Sequence[str]) -> Embedding:
        """Return the axes of labels."""
        axes = torch.eye(len(self.labels) + 2)
        of = {label: axes[i] for i, label in enumerate(self.labels)} | {NORMAL: axes[-1]}
        found = torch.stack([of[text] if text in of else -of[text.removeprefix("no ")] for text in texts])
        return Embedding(found, found)


@dataclass(frozen=True, slots=True, eq=False)
class LoadedClassifier:
    """A classifier; attributes as :class:`~zerosight.models.finding_model.LoadedFindings`."""

    model: Classifier
    card: ClassifierCard
    key: str
    familiarity: None = None


def load_classifier(name: str | Path, device: str = "cpu") -> LoadedClassifier:
    """Return a classifier ready to score findings.

    Args:
        name: ``xrv:NAME`` as the package calls its weights, which lie where it keeps them; or
            ``xrv:NAME@FILE``, its own file or safetensors.
        device: As for :func:`zerosight.weights.usable_device`.

    Raises:
        ConfigError: The name is not possible.
        MissingExtraError: torchxrayvision is not installed.
        WeightsError: The weights are not here, or damaged; the message says how to get them.
    """
    where = usable_device(device)
    which, _, file = str(name).removeprefix("xrv:").partition("@")
    package = _package()
    known = [one for one in package.models.model_urls if one.startswith("densenet121-")]
    if which not in known:
        raise ConfigError(
            f"model: torchxrayvision has no '{one_line(which, 60)}'{did_you_mean(which, known)}; there are "
            f"xrv:{', xrv:'.join(known)}"
        )
    facts = package.models.model_urls[which]
    url = str(facts["weights_url"])
    path = Path(file) if file else Path(package.utils.get_cache_dir()) / url.rpartition("/")[2]
    if not path.is_file():
        raise WeightsError(
            f"{path}: no such file; download {url} to there, or name a file of yours: xrv:{which}@FILE"
        )
    network = package.models.DenseNet(num_classes=len(facts["labels"]), **SHAPE)
    try:
        network.load_state_dict(_tensors(path, which))
    except RuntimeError as error:
        raise WeightsError(f"{path}: does not fit {which} ({one_line(str(error), 160)})") from None
    model = Classifier(str(name), network, facts, package, where)
    key = hashlib.sha256(f"{sha256(path)} {which} {model.preprocess.key}".encode()).hexdigest()[:32]
    card = ClassifierCard(name=f"xrv:{which}", trained_on=model.labels, fingerprint=key)
    return LoadedClassifier(model, card, key)


def _package() -> ModuleType:
    """Return torchxrayvision, whose import silences all warnings unless it is kept from it.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import torchxrayvision
    except ImportError:
        raise MissingExtraError("xrv: needs torchxrayvision; run: pip install 'zerosight[xray]'") from None
    return torchxrayvision


def _tensors(path: Path, which: str) -> dict[str, Tensor]:
    """Return the weights of a file.

    Raises:
        WeightsError: It is damaged, or not made of what it should be.
    """
    if path.suffix == ".safetensors":
        return load_tensors(path)
    try:
        found = load_pickled_module(path, CLASSES)
    except WeightsError as error:
        raise WeightsError(
            f"{error}; if you trust it, make safetensors of it elsewhere (docs/evaluate-findings.md) and "
            f"name them: xrv:{which}@FILE.safetensors"
        ) from None
    return {key: value for key, value in found.items() if key != "op_threshs"}


def _sphere(logits: Float[Tensor, "batch labels"]) -> Float[Tensor, "batch dim"]:
    """Return unit vectors whose first numbers are the logits by :data:`SCALE`."""
    flat = logits / SCALE
    rest = (1 - flat.square().sum(1, keepdim=True)).sqrt()
    return torch.cat([flat, rest, torch.zeros_like(rest)], dim=1)

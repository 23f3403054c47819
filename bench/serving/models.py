"""The networks that are served: each as a bundle, and as one ONNX file for servers that know no bundles."""

import json
from pathlib import Path

import torch
from torch import nn

from bench.networks import make_network, randomize_statistics
from bundle import Preprocessing
from export import BundleInfo, export_bundle
from export.layouts.predictor import read_predictor
from rn_model import convert_normalization

CLASSES = 1000
SIDE = {"trivial": 64}
TIMM = {"resnet18": "resnet18", "resnet50": "resnet50", "mobilenetv2": "mobilenetv2_100"}
NETWORKS = ("resnet18", "mobilenetv2", "resnet50", "trivial")


class Trivial(nn.Module):
    """A network that costs next to nothing, from ``(N, 3, H, W)`` to 10 logits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 8, stride=8, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits ``(N, 10)``."""
        logits: torch.Tensor = self.head(self.norm(self.conv(x)).relu().mean((2, 3)))
        return logits


def prepare_model(name: str, folder: Path) -> Path:
    """Write the files of a network, unless they are there.

    Args:
        name: one of ``NETWORKS``.
        folder: folder of all networks.

    Returns:
        The folder of this network, with ``bundle/``, ``model.onnx`` and ``contract.json``.
    """
    made = folder / name
    if (made / "contract.json").exists():
        return made
    made.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    network = Trivial() if name == "trivial" else make_network(TIMM[name], CLASSES)
    randomize_statistics(network)
    side = SIDE.get(name, 224)
    contract = Preprocessing(
        mode="RGB", height=side, width=side, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
    )
    classes = [f"class {number}" for number in range(10 if name == "trivial" else CLASSES)]
    info = BundleInfo(name, classes, contract, {})
    export_bundle(convert_normalization(network.eval()), made / "bundle", info, replace=True)
    (made / "model.onnx").write_bytes(read_predictor(made / "bundle").content)
    # Written last: it says that the others are complete.
    (made / "contract.json").write_text(json.dumps({"height": side, "width": side}))
    return made

"""The pretrained CIFAR ResNet-20 as a torch network, and as a bundle without sample images or with them."""

import copy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from bench.resnet20 import FEATURES, ResNet20
from bench.streams.orders import Pool
from bundle.preprocessing import Pixels, Preprocessing
from export import BundleInfo, export_bundle
from rn_model import convert_normalization

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLASSES = (
    *["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
)
PREPROCESSING = Preprocessing(mode="RGB", height=32, width=32, mean=MEAN, std=STD)
# Of the training images: for the spread of the images, for the sample images, and for streams.
EXPORT_IMAGES = 1000


class Classifier(nn.Module):
    """Features, and a linear layer on them."""

    def __init__(self) -> None:
        super().__init__()
        self.features = ResNet20()
        self.linear = nn.Linear(FEATURES, len(CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``(N, 3, 32, 32)`` to logits."""
        found: Tensor = self.linear(self.features(x))
        return found


def load_network(folder: Path) -> nn.Module:
    """The pretrained network.

    Raises:
        OSError: if its file cannot be read.
    """
    network = Classifier()
    with np.load(folder / "CIFAR10-resnet20.npz") as arrays:
        weights = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    named = {
        name if name.startswith("linear.") else f"features.{name}": w for name, w in weights.items()
    }
    network.load_state_dict(named, strict=False)
    return network.eval()


def to_input(pixels: Pixels) -> Tensor:
    """Normalized images ``(N, 3, H, W)`` of pixels ``(N, H, W, 3)``."""
    mean, std = (torch.tensor(values) for values in (MEAN, STD))
    return ((torch.from_numpy(pixels).float() / 255 - mean) / std).permute(0, 3, 1, 2)


def read_pools(folder: Path) -> tuple[Pixels, Pool]:
    """Training images for the export, and images for streams.

    The network was trained on the training images, so streams are drawn from the test images only.

    Raises:
        OSError: if a file cannot be read.
    """
    with np.load(folder / "CIFAR10.npz") as arrays:
        images, labels, split = arrays["images"], arrays["labels"], arrays["split"]
    with np.load(folder / "MNIST.npz") as arrays:
        digits = arrays["images"][:512]
    junk = np.repeat(np.pad(digits, ((0, 0), (2, 2), (2, 2)))[..., None], 3, axis=3)
    test = split == 1
    pool = Pool(images[test], labels[test].astype(np.int64), junk)
    return images[~test][:EXPORT_IMAGES], pool


def export_network(network: nn.Module, images: Pixels, path: Path, relations: bool = False) -> None:
    """Write the network as a bundle whose base statistics are those of its training."""
    model = convert_normalization(copy.deepcopy(network), "rn")
    info = BundleInfo("cifar10", CLASSES, PREPROCESSING, {})
    export_bundle(model, path, info, images=images, statistics="target", relations=relations)

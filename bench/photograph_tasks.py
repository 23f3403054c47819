"""Tasks of photographs and of digits with unequal class shares, on which normalizations are compared."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bench.resnet20 import settings, write_features
from bench.streams.corruptions import corrupt
from bundle.preprocessing import Pixels

PHOTOGRAPHS = "PACS48.npz"
WEIGHTS = "CIFAR10-resnet20.npz"
FEATURES = "features.safetensors"
# Shares of the ten digits among the target images, spread over a factor of 20; the source has equal ones.
_SHARES = (10, 8, 6, 4, 3, 2, 1.5, 1, 0.7, 0.5)


def photograph_tasks(data: Path, folder: Path) -> list[dict[str, Any]]:
    """Photographs to sketches and back, to drawings made of other photographs, and to bad images of them.

    Args:
        data: folder with ``PACS48.npz`` and ``CIFAR10-resnet20.npz``.
        folder: folder to write arrays and weights to.

    Returns:
        Tasks for a grid, each with its whole configuration.

    Raises:
        OSError: if a file cannot be read or written.
    """
    write_features(data / WEIGHTS, folder / FEATURES)
    with np.load(data / PHOTOGRAPHS, allow_pickle=False) as arrays:
        classes = [str(name) for name in arrays["classes"]]
        photo = arrays["photo"], arrays["photo_labels"].astype(np.int64)
        sketch = arrays["sketch"], arrays["sketch_labels"].astype(np.int64)
    half, other = _halves(*photo)
    noisy = corrupt("gaussian noise", corrupt("contrast", other[0], 3), 1)
    pairs = {
        "photo-sketch": (photo, sketch),
        "sketch-photo": (sketch, photo),
        "photo-drawing": (half, (draw(other[0]), other[1])),
        "photo-dim": (half, (noisy, other[1])),
    }
    tasks = []
    for name, (source, target) in pairs.items():
        for role, (images, labels) in (("source", source), ("target", target)):
            # A target of at most 1200 images is read in a few seconds.
            few = _few(len(images)) if role == "target" else slice(None)
            np.savez(folder / f"{name}-{role}.npz", images=images[few], labels=labels[few])
        tasks.append({"name": name, "base": _configuration(folder, name, classes)})
    return tasks


def digit_tasks(data: Path, folder: Path) -> list[dict[str, Any]]:
    """MNIST and USPS in both directions, with the shares of the classes alike, and far apart.

    Args:
        data: folder with ``MNIST.npz`` and ``USPS.npz``.
        folder: folder to write arrays to.

    Returns:
        Tasks for the base ``digits``.

    Raises:
        OSError: if a file cannot be read or written.
    """
    alike = [
        {"name": "mnist-usps", "source": "mnist-p1", "target": "usps-p1"},
        {"name": "usps-mnist", "source": "usps-p1", "target": "mnist-p1"},
    ]
    unequal = []
    for task, file, shares in (
        (alike[0], "USPS.npz", _SHARES),
        (alike[1], "MNIST.npz", _SHARES[::-1]),
    ):
        path = folder / f"{task['name']}-unequal.npz"
        with np.load(data / file, allow_pickle=False) as arrays:
            chosen = _drawn(arrays["labels"], np.array(shares))
            np.savez(path, images=arrays["images"][chosen], labels=arrays["labels"][chosen])
        own = {"task.target": {"path": str(path.absolute()), "name": path.stem}}
        unequal.append({**task, "name": path.stem, "set": own})
    return [*alike, *unequal]


def draw(photographs: Pixels) -> Pixels:
    """Drawings of photographs ``(N, H, W, 3)``: dark lines where brightness changes, on white."""
    grey = ndimage.gaussian_filter(photographs.mean(axis=3), (0, 0.7, 0.7))
    edges = np.hypot(ndimage.sobel(grey, 1), ndimage.sobel(grey, 2))
    lines = 255 - np.clip(1.2 * edges - 40, 0, 255)
    return np.repeat(lines.astype(np.uint8)[..., None], 3, axis=3)


def _halves(
    images: Pixels, labels: NDArray[np.int64]
) -> tuple[tuple[Pixels, NDArray[np.int64]], tuple[Pixels, NDArray[np.int64]]]:
    order = np.random.default_rng(0).permutation(len(images))
    first, second = np.array_split(order, 2)
    return (images[first], labels[first]), (images[second], labels[second])


def _few(count: int, most: int = 1200) -> NDArray[np.int64]:
    return np.random.default_rng(0).permutation(count)[:most].astype(np.int64)


def _drawn(
    labels: NDArray[np.integer[Any]], shares: NDArray[np.float64], count: int = 1500
) -> NDArray[np.int64]:
    """Indices of about ``count`` images whose classes have the given shares."""
    generator = np.random.default_rng(0)
    wanted = np.rint(count * shares / shares.sum()).astype(int)
    parts = [
        generator.choice(np.flatnonzero(labels == number), amount, replace=False)
        for number, amount in enumerate(wanted)
    ]
    return generator.permutation(np.concatenate(parts)).astype(np.int64)


def _configuration(folder: Path, name: str, classes: list[str]) -> dict[str, Any]:
    sets: dict[str, dict[str, Any]] = {
        role: {"path": str((folder / f"{name}-{role}.npz").absolute()), "classes": classes}
        for role in ("source", "target")
    }
    return {
        "task": {**sets, "classes": classes, "validation": 0.2},
        **settings(folder / FEATURES),
        "training": {
            **{"source_steps": 300, "steps": 250},
            **{"learning_rate": 0.01, "backbone_rate": 1.0, "ramp": 0.2},
            # Half precision halves the time; what is selected is the last network or that of step 0.
            **{"precision": "bf16-mixed", "evaluate_every": 250, "population_images": 2048},
        },
    }

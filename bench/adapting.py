"""What an adapted image costs: ``python -m bench.adapting --network resnet18``.

A network with random weights is exported with images, and batches are posted to the engine of the service
in this process, with one thread. Prints processor time per image, each as a multiple of a prediction that
was measured in between: observing all images of a batch; and everything that ``/adapt`` does, versions and
scores included, for the first images of a domain, and once it is known.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from bench.latency import CLASSES, preprocessing
from bench.networks import make_network
from bundle import Bundle, load_bundle
from bundle.preprocessing import Pixels
from export import BundleInfo, export_bundle
from export.network.pixel_scaling import PixelScaling
from rn.replaying.steps import offline_target
from rn_model import convert_normalization
from service.adaptation.observer import ENOUGH, Observer
from service.settings import Settings

BATCH = 64
# Enough for a level of guards of one in ten, and quick.
UPDATES = 9
# Random networks recognize nothing, and change their mind easily.
PERMISSIVE = {
    "adaptation": "auto",
    "publication_max_shift": "1e9",
    "publication_margin": "2",
    "publication_recognizable": "0",
    "alpha": "1e-9",
}


def make_bundle(name: str, images: Pixels, folder: Path) -> Bundle:
    """A timm model with random weights, converted and exported with images."""
    torch.manual_seed(0)
    network = make_network(name, CLASSES)
    calibrate(network, images)
    info = BundleInfo(name, [f"{i}" for i in range(CLASSES)], preprocessing(images.shape[1]), {})
    model = convert_normalization(network)
    export_bundle(model, folder / "bundle", info, images=images, calibration_updates=UPDATES)
    return load_bundle(folder / "bundle")


@torch.no_grad()
def calibrate(network: nn.Module, images: Pixels) -> None:
    """Let a network normalize by the moments of the images, as a trained one would."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    scaling = PixelScaling(preprocessing(images.shape[1]))
    for start in range(0, len(images), BATCH):
        network.train()(scaling(torch.from_numpy(images[start : start + BATCH])))
    network.eval()


def pictures(count: int, size: int, seed: int) -> Pixels:
    """Images that are not all alike."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (count, 14, 14, 3), dtype=np.uint8)
    side = -(-size // 14)
    large = coarse.repeat(side, axis=1).repeat(side, axis=2)[:, :size, :size]
    noise = generator.integers(-20, 21, large.shape, dtype=np.int16)
    found: Pixels = np.clip(large + noise, 0, 255).astype(np.uint8)
    return found


def seconds(work: Callable[[], Any]) -> float:
    """Processor time of some work."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What an adapted image costs.")
    parser.add_argument("--network", default="resnet18", help="name of a timm model")
    parser.add_argument("--size", type=int, default=224, help="height and width of the images")
    parser.add_argument(
        "--batches", type=int, default=16, help="batches of 64 images of a known domain"
    )
    given = parser.parse_args()
    predict, observe = list[float](), list[float]()
    first, later = list[float](), list[float]()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bundle = make_bundle(given.network, pictures(128, given.size, 0), folder)
        settings = Settings.model_validate(
            {
                "bundle": folder,
                "threads": 1,
                **PERMISSIVE,
            }
        )
        observer = Observer(bundle, settings)
        with offline_target(bundle, settings) as target:
            for number in range(ENOUGH // BATCH + given.batches):
                images = list(pictures(BATCH, given.size, number + 1))
                session, state = target.served.served, target.record.state
                if number < 4 or state.count >= ENOUGH:
                    predict.append(seconds(partial(session.probabilities, np.stack(images))))
                    observe.append(seconds(partial(observer.observe, images, state)))
                adapt = later if state.count >= ENOUGH else first
                adapt.append(seconds(partial(target.adapt, images)))
            made = len(target.domains.all), target.record.serving
    # The first of each builds sessions.
    predict, observe, first = predict[1:], observe[1:], first[1:]
    one = statistics.median(predict)
    print(f"{given.network}: a prediction takes {1e3 * one / BATCH:.1f} ms of one thread")
    named = (
        ("observing all", observe),
        (f"/adapt, first {ENOUGH} images", first),
        ("/adapt, later", later),
    )
    for name, values in named:
        low, high = min(values) / one, max(values) / one
        mean = sum(values) / len(values) / one
        print(f"{name:<26}{mean:6.2f} predictions (batches: {low:.2f} to {high:.2f})")
    print(f"domains: {made[0]}, served version: {made[1]}")


if __name__ == "__main__":
    main()

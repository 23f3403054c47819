"""Measures how long a new version takes: ``python -m bench.refold --network resnet50``.

Prints the steps of making a version on one thread, each the median of several repeats: compensation
(``compensate.onnx``), folding into the weights, the new session, and its first prediction; in milliseconds
of processor time, and relative to a prediction of one image in the same process.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.latency import CLASSES, preprocessing
from bench.networks import make_network, randomize_statistics
from bundle import Bundle, load_bundle
from bundle.fold import fold_sites
from bundle.moments import FlatMoments
from bundle.runtime import Refolder, make_session
from export import BundleInfo, export_bundle
from rn_model import convert_normalization


def make_bundle(name: str, size: int, folder: Path) -> Bundle:
    """A timm model with random weights, converted and exported."""
    torch.manual_seed(0)
    network = make_network(name, CLASSES).eval()
    randomize_statistics(network)
    info = BundleInfo(name, [f"{i}" for i in range(CLASSES)], preprocessing(size), {})
    export_bundle(convert_normalization(network), folder / "bundle", info)
    return load_bundle(folder / "bundle")


def timed(seconds: list[float], work: Callable[[], Any]) -> Any:
    """Do the work and append its processor time in seconds."""
    begin = time.process_time()
    found = work()
    seconds.append(time.process_time() - begin)
    return found


def measure(bundle: Bundle, size: int, repeats: int) -> dict[str, list[float]]:
    """Seconds of every step, with new moments each time; the first time is omitted."""
    refolder = Refolder(bundle)
    generator = np.random.default_rng(0)
    image = generator.integers(0, 256, (1, size, size, 3), dtype=np.uint8)
    base = {**bundle.predict_arrays, **bundle.base_arrays}
    parts: dict[str, list[float]] = {
        name: [] for name in ("compensate", "fold", "session", "first prediction", "a prediction")
    }
    for _ in range(repeats + 1):
        factor = 1 + 0.1 * generator.random(bundle.manifest.channels)
        moments = FlatMoments(bundle.target.mean * factor, bundle.target.variance * factor)
        affine = timed(parts["compensate"], partial(refolder.scale_and_shift, moments, 64.0))
        folded = timed(parts["fold"], partial(fold_sites, bundle.manifest.sites, base, *affine))
        arrays = {**bundle.predict_arrays, **folded}
        build = partial(make_session, bundle.predict, arrays, threads=1)
        session = timed(parts["session"], build)
        for part in ("first prediction", "a prediction"):
            timed(parts[part], partial(session.run, ["logits"], {"image": image}))
    return {name: seconds[1:] for name, seconds in parts.items()}


def refold_seconds(parts: Mapping[str, Sequence[float]]) -> float:
    """Seconds of all steps until a session is ready, from what :func:`measure` found."""
    return sum(statistics.median(parts[name]) for name in ("compensate", "fold", "session"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description="Measure the time to make a version from new moments."
    )
    parser.add_argument("--network", default="resnet50", help="name of a timm model")
    parser.add_argument("--size", type=int, default=224, help="height and width of the images")
    parser.add_argument("--repeats", type=int, default=15)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundle = make_bundle(given.network, given.size, Path(folder))
        parts = measure(bundle, given.size, given.repeats)
    prediction = statistics.median(parts["a prediction"])
    for name, seconds in parts.items():
        low, middle, high = statistics.quantiles(seconds, n=4)
        print(
            f"{name:<17} {1000 * middle:7.1f} ms ({1000 * low:.1f} to {1000 * high:.1f}),"
            f" {middle / prediction:.2f} of a prediction"
        )
    total = refold_seconds(parts)
    print(
        f"refold and new session: {1000 * total:.1f} ms, {total / prediction:.2f} of a prediction"
    )


if __name__ == "__main__":
    main()

"""Online adaptation against statistics that are estimated offline: ``python -m bench.online_digits``.

A bundle is served; 1,000 unlabelled handwritten digits are posted to /adapt in batches of 1, 7 and 64;
/predict is measured on the other 797. Three columns give the accuracy in percent: before, after, and
with statistics estimated offline on the same 1,000 images. Then everything is rolled back.

Scenes: a network trained on the source alone, and the adapted network, both exported with the source's
statistics, as if no target image had been seen; and the adapted network with its target statistics,
when the digits suddenly come from a camera with a third of the contrast on a grey background.
"""

import argparse
import copy
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bench.serving import served
from bundle.images.encoding import encode_png
from bundle.preprocessing import Pixels
from export import BundleInfo, export_bundle
from rn_model import set_branch
from rn_model.data.tensors import to_input
from rn_model.digits.images import target_images
from rn_model.layers.domains import Domain
from rn_model.layers.population_moments import estimate_moments
from rn_model.runs.record import Run, load_run
from service.client import Client

ADAPT_IMAGES = 1000
HELD_OUT_IMAGES = 797
BATCH_SIZES = (1, 7, 64)
PREDICT_BATCH = 200


@dataclass(frozen=True)
class Scene:
    """A served bundle and the images that are posted to it.

    Attributes:
        name: name in the table.
        run: the trained model.
        statistics: domain whose statistics the bundle begins with.
        camera: changes the pixels of the target, ``(N, H, W, C)``.
    """

    name: str
    run: Run
    statistics: Domain
    camera: Callable[[Pixels], Pixels]


@dataclass(frozen=True)
class Accuracies:
    """Accuracy in percent before and after online adaptation, and with offline statistics."""

    before: float
    online: float
    offline: float


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Online adaptation against offline statistics.")
    parser.add_argument("--run", type=Path, default=Path("runs/digits"), help="run of `rn adapt`")
    parser.add_argument("--seeds", type=int, default=3, help="random draws of the 1,000 images")
    parser.add_argument("--write", type=Path, help="JSON file for the means of all scenes")
    arguments = parser.parse_args()
    columns = ("network", "batch", "seed", "before", "online", "offline", "versions", "rolled back")
    print("{:<16}{:>6}{:>6}{:>8}{:>8}{:>9}{:>10}  {}".format(*columns))
    adapted = load_run(arguments.run)
    source_only = load_run(arguments.run / "source_only")
    found: dict[str, list[Accuracies]] = {}
    for scene in (
        Scene("new camera", adapted, "target", low_contrast),
        Scene("adapted", adapted, "source", lambda pixels: pixels),
        Scene("source only", source_only, "source", lambda pixels: pixels),
    ):
        with exported(scene) as bundle:
            found[scene.name] = [
                measure(scene, bundle, batch_size, seed)
                for batch_size in BATCH_SIZES
                for seed in range(arguments.seeds)
            ]
    gaps = [row.offline - row.online for rows in found.values() for row in rows]
    print(f"offline minus online: mean {np.mean(gaps):+.1f}, worst {np.max(gaps):+.1f} points")
    if arguments.write:
        write(arguments.write, found, arguments.seeds)


def write(path: Path, found: dict[str, list[Accuracies]], draws: int) -> None:
    """Store the means of every scene, as docs/results.md and the picture in the README give them."""
    scenes = [
        {"name": name}
        | {
            column: round(float(np.mean([getattr(row, column) for row in rows])), 1)
            for column in ("before", "online", "offline")
        }
        for name, rows in found.items()
    ]
    content = {
        "command": "python -m bench.online_digits",
        "posted": ADAPT_IMAGES,
        "measured": HELD_OUT_IMAGES,
        "draws": draws,
        "scenes": scenes,
    }
    path.write_text(json.dumps(content, indent=2) + "\n")


def low_contrast(pixels: Pixels) -> Pixels:
    """A third of the contrast, on a grey background."""
    changed: Pixels = (90 + pixels.astype(np.float64) / 3).astype(np.uint8)
    return changed


@contextmanager
def exported(scene: Scene) -> Iterator[Path]:
    """Export the scene's bundle into a directory that lasts as long as the block."""
    run = scene.run
    images = target_images(run.preprocessing).pixels if scene.statistics == "target" else None
    info = BundleInfo("digits", run.classes, run.preprocessing, {})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle"
        export_bundle(run.model, path, info, images=images, statistics=scene.statistics)
        yield path


def measure(scene: Scene, bundle: Path, batch_size: int, seed: int) -> Accuracies:
    """Serve the bundle, adapt it and roll it back once; prints one line of the table."""
    target = target_images(scene.run.preprocessing)
    pixels = scene.camera(target.pixels)
    order = np.random.default_rng(seed).permutation(len(pixels))
    posted, kept = order[:ADAPT_IMAGES], order[-HELD_OUT_IMAGES:]
    files = [encode_png(image) for image in pixels]
    held_out, labels = [files[i] for i in kept], target.labels[kept]
    offline = accuracy(offline_labels(scene.run, pixels[posted], pixels[kept]), labels)
    settings = {"RN_ADAPTATION": "auto"}
    with (
        tempfile.TemporaryDirectory() as folder,
        served(bundle, Path(folder), settings=settings) as client,
    ):
        first = predictions(client, held_out)
        for start in range(0, ADAPT_IMAGES, batch_size):
            client.adapt([files[i] for i in posted[start : start + batch_size]])
        adapted = predictions(client, held_out)
        made = len(client.versions().versions) - 1
        client.rollback(0)
        same = np.array_equal(first, predictions(client, held_out))
    before, online = accuracy(first.argmax(1), labels), accuracy(adapted.argmax(1), labels)
    print(
        f"{scene.name:<16}{batch_size:>6}{seed:>6}{before:>8.1f}{online:>8.1f}{offline:>9.1f}"
        f"{made:>10}  {'exactly' if same else 'NOT EXACTLY'}",
        flush=True,
    )
    return Accuracies(before, online, offline)


def predictions(client: Client, files: Sequence[bytes]) -> NDArray[np.float64]:
    """Probabilities ``(N, K)`` that the service returns."""
    rows = [
        list(prediction.probabilities.values())
        for start in range(0, len(files), PREDICT_BATCH)
        for prediction in client.predict(
            files[start : start + PREDICT_BATCH], top_k="all"
        ).predictions
    ]
    return np.array(rows)


def offline_labels(run: Run, seen: Pixels, unseen: Pixels) -> NDArray[np.int64]:
    """Labels that the torch model predicts with statistics estimated on the images ``seen``."""
    model = copy.deepcopy(run.model)
    set_branch(model, "target")
    estimate_moments(model, partial(torch.split, to_input(seen, run.preprocessing), 250), "target")
    with torch.no_grad():
        logits = model(to_input(unseen, run.preprocessing))
    labels: NDArray[np.int64] = logits.argmax(dim=1).numpy()
    return labels


def accuracy(predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """Accuracy in percent."""
    return 100 * float((predicted == labels).mean())


if __name__ == "__main__":
    main()

"""How near online adaptation comes to statistics that are estimated offline.

A bundle is served; 1,000 unlabeled handwritten digits are posted to /adapt in batches of 1, 7 and 64;
/predict is measured on the other 797. Three columns, accuracy in percent: before, after, and what
statistics estimated offline on the same 1,000 images give. Then everything is rolled back.

Scenes: a network trained on the source alone, and the adapted network, both exported with the source's
statistics, as if no target image had been seen; and the adapted network with its target statistics,
when the digits suddenly come from a camera of a third of the contrast on a grey background.
"""

import argparse
import copy
import io
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from bench.serving import served
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
BATCH_SIZES = (1, 7, 64)
PREDICT_BATCH = 200


@dataclass(frozen=True)
class Scene:
    """What is served, and what comes to it.

    Attributes:
        name: for the table.
        run: the model.
        statistics: that the bundle begins with.
        camera: changes the pixels of the target, ``(N, H, W, C)``.
    """

    name: str
    run: Run
    statistics: Domain
    camera: Callable[[Pixels], Pixels]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Online adaptation against offline statistics.")
    parser.add_argument("--run", type=Path, default=Path("runs/digits"), help="made by `rn adapt`")
    parser.add_argument("--seeds", type=int, default=3, help="random choices of the 1,000 images")
    arguments = parser.parse_args()
    columns = ("network", "batch", "seed", "before", "online", "offline", "versions", "rolled back")
    print("{:<16}{:>6}{:>6}{:>8}{:>8}{:>9}{:>10}  {}".format(*columns))
    adapted = load_run(arguments.run)
    source_only = load_run(arguments.run / "source_only")
    gaps: list[float] = []
    for scene in (
        Scene("source only", source_only, "source", lambda pixels: pixels),
        Scene("adapted", adapted, "source", lambda pixels: pixels),
        Scene("new camera", adapted, "target", low_contrast),
    ):
        with exported(scene) as bundle:
            for batch_size in BATCH_SIZES:
                for seed in range(arguments.seeds):
                    gaps.append(story(scene, bundle, batch_size, seed))
    print(f"offline minus online: mean {np.mean(gaps):+.1f}, worst {np.max(gaps):+.1f} points")


def low_contrast(pixels: Pixels) -> Pixels:
    """A third of the contrast, on a grey background."""
    changed: Pixels = (90 + pixels.astype(np.float64) / 3).astype(np.uint8)
    return changed


@contextmanager
def exported(scene: Scene) -> Iterator[Path]:
    """The scene's bundle, as long as the block."""
    run = scene.run
    images = target_images(run.preprocessing).pixels if scene.statistics == "target" else None
    info = BundleInfo("digits", run.classes, run.preprocessing, {})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle"
        export_bundle(run.model, path, info, images=images, statistics=scene.statistics)
        yield path


def story(scene: Scene, bundle: Path, batch_size: int, seed: int) -> float:
    """Tell it once; print a line, and return by how many points online stays behind offline."""
    target = target_images(scene.run.preprocessing)
    pixels = scene.camera(target.pixels)
    order = np.random.default_rng(seed).permutation(len(pixels))
    posted, kept = order[:ADAPT_IMAGES], order[ADAPT_IMAGES:]
    files = [png(image) for image in pixels]
    held_out, labels = [files[i] for i in kept], target.labels[kept]
    offline = accuracy(offline_labels(scene.run, pixels[posted], pixels[kept]), labels)
    with tempfile.TemporaryDirectory() as folder, served(bundle, Path(folder)) as client:
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
    return offline - online


def predictions(client: Client, files: Sequence[bytes]) -> NDArray[np.float64]:
    """Probabilities ``(N, K)`` that the service answers."""
    rows = [
        list(prediction.probabilities.values())
        for start in range(0, len(files), PREDICT_BATCH)
        for prediction in client.predict(files[start : start + PREDICT_BATCH]).predictions
    ]
    return np.array(rows)


def offline_labels(run: Run, seen: Pixels, unseen: Pixels) -> NDArray[np.int64]:
    """Labels that the torch model gives with target statistics of the images ``seen``."""
    model = copy.deepcopy(run.model)
    set_branch(model, "target")
    estimate_moments(model, partial(torch.split, to_input(seen, run.preprocessing), 250), "target")
    with torch.no_grad():
        logits = model(to_input(unseen, run.preprocessing))
    labels: NDArray[np.int64] = logits.argmax(dim=1).numpy()
    return labels


def accuracy(predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """In percent."""
    return 100 * float((predicted == labels).mean())


def png(pixels: Pixels) -> bytes:
    """An image file of preprocessed grey pixels ``(H, W, 1)``."""
    buffer = io.BytesIO()
    Image.fromarray(pixels[:, :, 0]).save(buffer, "PNG")
    return buffer.getvalue()


if __name__ == "__main__":
    main()

"""Measures how long image files take to become pixels: ``python -m bench.decoding``.

For JPEG files of several sizes, it prints the time of the contract with full and with scaled decoding, each
as a ratio to decoding alone, and how far the resulting pixels differ. With ``--bundle`` and
``--folder``, it also prints how many labels of the folder's images change.
"""

import argparse
import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

from bundle import Pixels, Preprocessing, load_bundle
from bundle.images.decoding import decode_image
from bundle.images.folder import find_images
from bundle.runtime import make_session
from export.contract import IMAGENET

SIZES = ((640, 480), (1280, 960), (1920, 1440), (4000, 3000))


def photograph(size: tuple[int, int], orientation: int = 1, seed: int = 0) -> bytes:
    """A JPEG of a photograph that was enlarged, with the grain of a sensor."""
    image = Image.fromarray(load_sample_images().images[0]).resize(size, Image.Resampling.BICUBIC)
    grain = np.random.default_rng(seed).normal(0, 3, (size[1], size[0], 1))
    pixels = np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8)
    tags = Image.Exif()
    tags[0x0112] = orientation
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90, exif=tags)
    return file.getvalue()


def decodings(preprocessing: Preprocessing) -> tuple[Preprocessing, Preprocessing]:
    """The contract with full and with scaled decoding."""
    fields = preprocessing.model_dump()
    full, scaled = ({**fields, "decoding": kind} for kind in ("full", "scaled"))
    return Preprocessing.model_validate(full), Preprocessing.model_validate(scaled)


def fastest(tasks: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Shortest processor time of each task in seconds; they take turns."""
    seconds = [float("inf")] * len(tasks)
    for _ in range(rounds):
        for place, task in enumerate(tasks):
            begin = time.process_time()
            task()
            seconds[place] = min(seconds[place], time.process_time() - begin)
    return seconds


def report(size: tuple[int, int], orientation: int, rounds: int) -> str:
    """A row of the table."""
    content = photograph(size, orientation)
    full, scaled = decodings(IMAGENET)
    alone, whole, part = fastest(
        [lambda: decode_image(content), lambda: full.read(content), lambda: scaled.read(content)],
        rounds,
    )
    difference = np.abs(full.read(content).astype(int) - scaled.read(content))
    return (
        f"{size[0]:>5} x {size[1]:<5} {orientation:>6} {whole / alone:>8.2f} {part / alone:>8.2f}"
        f" {part / whole:>13.2f} {difference.mean():>8.2f} {difference.max():>5}"
    )


def changed_labels(path: Path, folder: Path) -> str:
    """How many answers of a network depend on the decoding."""
    bundle = load_bundle(path)
    session = make_session(bundle.predict, bundle.predict_arrays, threads=1)
    contents = [(folder / name).read_bytes() for name in find_images(folder).paths]

    def logits(contract: Preprocessing) -> Any:
        images: Pixels = np.stack([contract.read(content) for content in contents])
        parts = [session.run(["logits"], {"image": part[None]})[0] for part in images]
        return np.concatenate(parts)

    full, scaled = map(logits, decodings(bundle.manifest.preprocessing))
    changed = int((full.argmax(1) != scaled.argmax(1)).sum())
    error = np.abs(full - scaled).mean() / np.abs(full).mean()
    return f"labels: {changed} of {len(full)} change; logits differ by {error:.1%} on average"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure how image files are decoded.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--bundle", type=Path, help="bundle whose answers are compared")
    parser.add_argument("--folder", type=Path, help="image files to compare them on")
    given = parser.parse_args()
    print("time of the contract as a ratio to decoding alone, and difference of the pixels")
    print("size          turned     full   scaled   scaled / full     mean   max")
    for size in SIZES:
        print(report(size, 1, given.rounds), flush=True)
    print(report(SIZES[-1], 6, given.rounds))
    if given.bundle is not None and given.folder is not None:
        print(changed_labels(given.bundle, given.folder))


if __name__ == "__main__":
    main()

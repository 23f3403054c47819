"""Orders in which the images of a pool arrive, and what the camera does to them meanwhile."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from bench.streams.corruptions import CORRUPTIONS, corrupt
from bundle.preprocessing import Pixels

Labels = NDArray[np.int64]
JUNK_LABEL = -1
CONTINUAL = ("clean", "gaussian noise", "motion blur", "fog", "contrast", "clean")
LENGTH = 512


@dataclass(frozen=True)
class Pool:
    """Images to draw streams from.

    Attributes:
        pixels: uint8 ``(N, H, W, C)``.
        labels: their classes.
        junk: images that belong to no class, of the same size.
    """

    pixels: Pixels
    labels: Labels
    junk: Pixels


@dataclass(frozen=True)
class Stream:
    """Images in the order of their arrival.

    Attributes:
        pixels: uint8 ``(N, H, W, C)``.
        labels: their classes; ``JUNK_LABEL`` for what has none.
        batch_size: images that arrive together.
        parts: name and end of each stretch under one camera.
    """

    pixels: Pixels
    labels: Labels
    batch_size: int
    parts: Sequence[tuple[str, int]]


Make = Callable[[Pool, Generator], Stream]


def _draw(pool: Pool, count: int, generator: Generator) -> NDArray[np.int64]:
    """Numbers of images, every one once before any comes again."""
    rounds = -(-count // len(pool.labels))
    orders = [generator.permutation(len(pool.labels)) for _ in range(rounds)]
    return np.concatenate(orders)[:count]


def _stretches(
    pool: Pool, parts: Sequence[tuple[str, int]], severity: int, generator: Generator
) -> Stream:
    """Stretches of shuffled images, each of some length under one corruption."""
    order = _draw(pool, sum(length for _, length in parts), generator)
    pixels, ends, start = [], [], 0
    for name, length in parts:
        chosen = pool.pixels[order[start : start + length]]
        pixels.append(corrupt(name, chosen, severity, int(generator.integers(1 << 31))))
        start += length
        ends.append((name, start))
    return Stream(np.concatenate(pixels), pool.labels[order], 64, ends)


def _steady(batch_size: int, name: str = "contrast") -> Make:
    def make(pool: Pool, generator: Generator) -> Stream:
        found = _stretches(pool, [(name, LENGTH)], 5, generator)
        return Stream(found.pixels, found.labels, batch_size, found.parts)

    return make


def _sorted_by_class(pool: Pool, generator: Generator) -> Stream:
    found = _stretches(pool, [("gaussian noise", LENGTH)], 5, generator)
    order = np.argsort(found.labels, kind="stable")
    return Stream(found.pixels[order], found.labels[order], 64, found.parts)


def _dirichlet(pool: Pool, generator: Generator) -> Stream:
    """Classes in bursts: each class is spread over eight slots with shares from a Dirichlet of 0.1."""
    found = _stretches(pool, [("gaussian noise", LENGTH)], 5, generator)
    slot = np.empty(len(found.labels), np.int64)
    for label in np.unique(found.labels):
        own = np.flatnonzero(found.labels == label)
        shares = generator.dirichlet([0.1] * 8)
        slot[own] = generator.choice(8, len(own), p=shares)
    order = np.argsort(slot + 0.5 * generator.random(len(slot)), kind="stable")
    return Stream(found.pixels[order], found.labels[order], 64, found.parts)


def _continual(pool: Pool, generator: Generator) -> Stream:
    lengths = (128, *[256] * (len(CONTINUAL) - 1))
    return _stretches(pool, list(zip(CONTINUAL, lengths, strict=True)), 5, generator)


def _all(pool: Pool, generator: Generator) -> Stream:
    return _stretches(pool, [(name, 192) for name in CORRUPTIONS], 5, generator)


def _gradual(pool: Pool, generator: Generator) -> Stream:
    order = _draw(pool, 9 * 64, generator)
    pixels = [
        corrupt(
            "contrast" if s else "clean", pool.pixels[order[i * 64 : i * 64 + 64]], max(s, 1), i
        )
        for i, s in enumerate((0, 1, 2, 3, 4, 5, 5, 5, 5))
    ]
    return Stream(np.concatenate(pixels), pool.labels[order], 64, [("gradual contrast", 576)])


def _return(pool: Pool, generator: Generator) -> Stream:
    parts = [("clean", 256), ("gaussian noise", 256), ("clean", 256)]
    return _stretches(pool, parts, 5, generator)


def _long(pool: Pool, generator: Generator) -> Stream:
    names = [*CORRUPTIONS, "clean"]
    order = [str(name) for name in generator.permutation(names)]
    lengths = [1280] * len(order)
    return _stretches(pool, list(zip(order, lengths, strict=True))[:16], 5, generator)


def _no_shift(pool: Pool, generator: Generator) -> Stream:
    return _stretches(pool, [("clean", 2 * LENGTH)], 5, generator)


def _no_shift_sorted(pool: Pool, generator: Generator) -> Stream:
    found = _no_shift(pool, generator)
    order = np.argsort(found.labels, kind="stable")
    return Stream(found.pixels[order], found.labels[order], 64, found.parts)


def _with_shares(ratio: float, name: str) -> Make:
    """Class shares spread over a factor."""

    def make(pool: Pool, generator: Generator) -> Stream:
        classes = np.unique(pool.labels)
        shares = ratio ** (-generator.permutation(len(classes)) / (len(classes) - 1))
        weight = (shares / np.bincount(pool.labels, minlength=len(classes)))[pool.labels]
        order = generator.choice(len(pool.labels), LENGTH, p=weight / weight.sum())
        pixels = corrupt(name, pool.pixels[order], 5, int(generator.integers(1 << 31)))
        return Stream(pixels, pool.labels[order], 64, [(name, LENGTH)])

    return make


def _with_junk(share: float, kind: str) -> Make:
    def make(pool: Pool, generator: Generator) -> Stream:
        found = _stretches(pool, [("gaussian noise", LENGTH)], 5, generator)
        pixels, labels = found.pixels.copy(), found.labels.copy()
        hit = generator.random(len(labels)) < share
        junk = pool.junk[generator.integers(0, len(pool.junk), hit.sum())]
        if kind == "noise":
            junk = generator.integers(0, 256, junk.shape, dtype=np.uint8)
        pixels[hit], labels[hit] = junk, JUNK_LABEL
        return Stream(pixels, labels, 64, found.parts)

    return make


STREAMS: Mapping[str, Make] = {
    "contrast, batches of 200": _steady(200),
    "contrast, batches of 64": _steady(64),
    "contrast, batches of 8": _steady(8),
    "contrast, batches of 1": _steady(1),
    "noise, batches of 64": _steady(64, "gaussian noise"),
    "noise, sorted by class": _sorted_by_class,
    "noise, Dirichlet 0.1": _dirichlet,
    "continual": _continual,
    "all 15": _all,
    "gradual contrast": _gradual,
    "noise, and clean again": _return,
    "20,000 images": _long,
    "noise, 10 % other images": _with_junk(0.1, "other"),
    "noise, 30 % other images": _with_junk(0.3, "other"),
    "noise, 10 % junk": _with_junk(0.1, "noise"),
    "noise, 30 % junk": _with_junk(0.3, "noise"),
    "no shift": _no_shift,
    "no shift, sorted by class": _no_shift_sorted,
    "no shift, shares 1 to 10": _with_shares(10, "clean"),
    "no shift, shares 1 to 100": _with_shares(100, "clean"),
    "noise, shares 1 to 10": _with_shares(10, "gaussian noise"),
}

"""Do the guards keep their levels, and find harm? ``python -m bench.levels --run RUN --bundle BUNDLE``.

The built-in example, with half of its images to make versions of, and the other half to arrive afterwards.
Harmless versions are made of 64 images each: how many are refused at publication, and how many of 5,000
streams of arriving images would roll one back? Harmful versions have their moments moved along a random
direction: how many are refused, and after how many arriving images would they be rolled back otherwise?
And how many labels, of images on which a version and its parent disagree, are enough to say which is worse?
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from bundle import load_bundle
from bundle.loaded import Bundle
from bundle.moments import FlatMoments
from bundle.preprocessing import Pixels
from bundle.scores import label_free_scores
from rn_model.digits.images import target_images
from rn_model.runs.record import load_run
from service.adaptation.observer import Observer
from service.adaptation.state import OnlineState
from service.guards.conformal import ConformalGuard
from service.guards.evidence import Evidence
from service.guards.probation import ImageScore, Probation
from service.inference.sessions import Session, SessionBuilder
from service.settings import Settings
from service.targets.making.judging import evenly_spaced
from service.targets.making.watching import PROBATION_IMAGES

UPDATE_IMAGES = 64
HARM = (5.0, 10.0)
LABELS = 20
SCALES = (0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Made:
    """A version, and what it predicts.

    Attributes:
        samples, arriving: probabilities ``(N, K)`` on the sample images and on the arriving ones.
    """

    samples: NDArray[np.float64]
    arriving: NDArray[np.float64]


class Maker:
    """Makes versions of the example.

    Args:
        bundle: the example.
        pixels: images that versions are made of.
        arriving: images that arrive afterwards.
    """

    def __init__(self, bundle: Bundle, pixels: Pixels, arriving: Pixels) -> None:
        guards = bundle.manifest.guards
        if guards is None or bundle.sample_images is None:
            raise SystemExit("the bundle has no calibration of guards; export it again with images")
        settings = Settings.model_validate({"bundle": "unused", "threads": 1})
        self.drops = guards.drops
        self._builder = SessionBuilder(bundle, settings)
        self._observer = Observer(bundle, settings)
        self._samples = evenly_spaced(bundle.sample_images, guards.scored_images)
        self._pixels, self._arriving = pixels, arriving
        self._first = OnlineState(bundle.target, 0.0)
        self.exported = self._made(self._builder.build(0, bundle.target, 0.0))

    def harmless(self, generator: np.random.Generator) -> tuple[Made, FlatMoments]:
        """A version of some images, and its moments."""
        chosen = generator.choice(len(self._pixels), UPDATE_IMAGES, replace=False)
        moments = self._observer.observe(list(self._pixels[chosen]), self._first).moments
        return self._made(self._builder.build(1, moments, float(UPDATE_IMAGES))), moments

    def moved(self, moments: FlatMoments, scale: float, generator: np.random.Generator) -> Made:
        """A version whose moments are moved, as if they were those of very many images."""
        deviation = np.sqrt(moments.variance)
        mean = moments.mean + scale * deviation * generator.normal(size=deviation.shape)
        variance = moments.variance * np.exp(scale * generator.normal(size=deviation.shape))
        return self._made(self._builder.build(2, FlatMoments(mean, variance), 1e6))

    def _made(self, session: Session) -> Made:
        return Made(session.probabilities(self._samples), session.probabilities(self._arriving))


def main(
    run: Annotated[Path, typer.Option(help="Run of `rn adapt`.")] = Path("runs/digits"),
    bundle: Annotated[Path, typer.Option(help="Its bundle.")] = Path("bundles/digits"),
    alpha: Annotated[float, typer.Option(help="Level of the guards.")] = 0.01,
    updates: Annotated[int, typer.Option(min=2, help="Harmless versions.")] = 500,
    streams: Annotated[int, typer.Option(min=1, help="Streams of arriving images.")] = 5000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all draws.")] = 0,
) -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    digits = target_images(load_run(run).preprocessing)
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(digits))
    half = len(order) // 2
    maker = Maker(load_bundle(bundle), digits.pixels[order[:half]], digits.pixels[order[half:]])
    labels = digits.labels[order[half:]]
    guard = ConformalGuard.calibrated(maker.drops, alpha)
    made = [maker.harmless(generator) for _ in range(updates)]
    refused = [_refused(guard, maker.exported, version) for version, _ in made]
    print(f"harmless versions refused: {_share(refused)}; level {guard.alpha:g}")
    failed = []
    for _ in range(streams):
        parent, new = (made[i][0] for i in generator.choice(updates, 2, replace=False))
        failed.append(_found(parent, new, alpha, generator) is not None)
    print(f"harmless versions rolled back: {_share(failed)}; level {alpha:g}")
    harmful = list(_harmful(maker, made, labels, generator))
    for low, high in zip(HARM, (*HARM[1:], np.inf), strict=True):
        chosen = [(parent, new) for parent, new, harm in harmful if low < harm <= high]
        refused = [_refused(guard, maker.exported, new) for _, new in chosen]
        after = [_found(*pair, alpha, generator) for pair in chosen]
        print(f"harm of {low:g} to {high:g} points: refused {_share(refused)}; {_images(after)}")
        needed = [_labels_needed(*pair, labels, alpha, generator) for pair in chosen]
        print(f"  by labels: {_labels(needed)}")
    wrong = []
    for _ in range(streams):
        parent, new = (made[i][0] for i in generator.choice(updates, 2, replace=False))
        better = max((parent, new), key=lambda each: (each.arriving.argmax(1) == labels).mean())
        worse = new if better is parent else parent
        wrong.append(_labels_needed(worse, better, labels, alpha, generator) is not None)
    print(f"versions that are no worse, called worse by labels: {_share(wrong)}; level {alpha:g}")


def _harmful(
    maker: Maker,
    made: Sequence[tuple[Made, FlatMoments]],
    labels: NDArray[np.int64],
    generator: np.random.Generator,
) -> Iterator[tuple[Made, Made, float]]:
    """Harmless parents, versions that were moved away from them, and the accuracy that this costs."""
    for number in range(len(made)):
        parent, moments = made[number]
        new = maker.moved(moments, SCALES[number % len(SCALES)], generator)
        before, after = (
            100 * float((each.arriving.argmax(1) == labels).mean()) for each in (parent, new)
        )
        yield parent, new, before - after


def _refused(guard: ConformalGuard, exported: Made, new: Made) -> bool:
    before, after = (label_free_scores(each.samples).nuclear_norm for each in (exported, new))
    return guard.reason(before - after) is not None


def _found(parent: Made, new: Made, alpha: float, generator: np.random.Generator) -> int | None:
    """Number of arriving images after which the new version is rolled back; None if it is not."""
    count = min(PROBATION_IMAGES, len(parent.arriving))
    chosen = generator.choice(len(parent.arriving), count, replace=False)
    old, own = (ImageScore.of(each.samples)(each.arriving[chosen]) for each in (parent, new))
    probation = Probation(alpha)
    if not probation.after(old - own).failed:
        return None
    for number, difference in enumerate(old - own, 1):
        probation = probation.after([difference])
        if probation.failed:
            return number
    return None


def _labels_needed(
    parent: Made,
    new: Made,
    labels: NDArray[np.int64],
    alpha: float,
    generator: np.random.Generator,
) -> int | None:
    """Number of labels after which the new version is called worse; None if it never is."""
    old, own = parent.arriving.argmax(1), new.arriving.argmax(1)
    asked = generator.permutation(np.flatnonzero(old != own))
    evidence = Evidence(alpha)
    for number, index in enumerate(asked, 1):
        right = int(old[index] == labels[index]) - int(own[index] == labels[index])
        evidence = evidence.after([right])
        if evidence.verdict == "worse":
            return number
    return None


def _labels(needed: Sequence[int | None]) -> str:
    found = [each for each in needed if each is not None]
    if not found:
        return f"0 of {len(needed)} found"
    within = sum(each <= LABELS for each in found)
    return (
        f"{within} of {len(needed)} found with {LABELS} labels, {len(found)} with all; median"
        f" {np.median(found):.0f} labels"
    )


def _share(found: Sequence[bool]) -> str:
    return f"{sum(found)} of {len(found)} ({np.mean(found):.2%})"


def _images(after: Sequence[int | None]) -> str:
    found = [each for each in after if each is not None]
    if not found:
        return f"{len(found)} of {len(after)} rolled back"
    within = sum(each <= 150 for each in found)
    return (
        f"{len(found)} of {len(after)} rolled back within {PROBATION_IMAGES} images, {within} within 150;"
        f" median {np.median(found):.0f} images"
    )


if __name__ == "__main__":
    typer.run(main)

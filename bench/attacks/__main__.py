"""Hostile images against the online engine: ``python -m bench.attacks --run RUN --bundle BUNDLE``.

The built-in example, served as it was exported, after a rollback, and after a restart, gets hostile images;
then good ones come again, in requests of 16. For each attack: accuracy on held-out good images before, at
the worst moment and at the end, how many good images it took to be within 2 points of before, versions that
were published meanwhile, and alarms. It fails if the end is more than 2 points below before and more than
64 good images were needed, or if the worst moment is more than 2 points below before without an alarm.
"""

import json
import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from bench.attacks import images as hostile
from bench.attacks.images import Good, Make
from bundle import load_bundle
from bundle.loaded import Bundle
from bundle.preprocessing import Pixels
from rn_model.digits.images import target_images
from rn_model.runs.record import load_run
from service.errors import AdaptationFrozen
from service.ledger.ledger import Ledger
from service.ledger.records import Page
from service.monitoring.metrics import Metrics
from service.monitoring.reporting import TargetReport
from service.settings import Settings
from service.targets.target import OnlineTarget

HELD_OUT = 500
ALLOWED = 2.0
RECOVERY = 64
REQUEST = 16
PHASES = ("fresh", "after a rollback", "after a restart")
ALARMS = ("alarm", "new_domain", "recalled_domain", "rejected", "rolled_back", "frozen")


@dataclass(frozen=True)
class Attack:
    """Hostile requests.

    Attributes:
        make: makes the images.
        requests, size: number of requests, and of images in each.
        good: good images that are mixed into each request.
        client: name of the attacker's key; None without keys.
    """

    make: Make
    requests: int = 6
    size: int = 64
    good: int = 0
    client: str | None = None


ATTACKS: dict[str, Attack] = {
    "noise": Attack(hostile.noise, requests=2),
    "noise, 20 requests": Attack(hostile.noise, requests=20),
    "black frames": Attack(hostile.black),
    "negatives": Attack(hostile.inverted),
    "shuffled pixels": Attack(hostile.shuffled),
    "half noise": Attack(hostile.half_noise),
    "one class": Attack(hostile.one_class),
    "two classes": Attack(hostile.two_classes),
    "within all limits": Attack(hostile.within_limits),
    "within all limits, 512": Attack(hostile.within_limits, requests=8),
    "slow poisoning": Attack(hostile.within_limits, requests=20, size=8, good=24),
    "slow noise": Attack(hostile.half_noise, requests=20, size=8, good=24),
    "flood of small requests": Attack(hostile.noise, requests=256, size=2),
    "another client's noise": Attack(hostile.noise, requests=10, client="mallory"),
    "another client, within limits": Attack(hostile.within_limits, client="mallory"),
}


@dataclass(frozen=True)
class Result:
    """What an attack did; accuracies in percent.

    Attributes:
        before, worst, end: accuracy before, at the worst moment, and after good images came again.
        recovery: good images after which it was within 2 points of before; None if it never was.
        published: versions that were published meanwhile.
        alarms: events that are alarming.
    """

    attack: str
    phase: str
    before: float
    worst: float
    end: float
    recovery: int | None
    published: int
    alarms: int

    @property
    def passed(self) -> bool:
        """Whether no lasting harm was done, and none unseen."""
        lasting = self.end < self.before - ALLOWED
        slow = self.recovery is None or self.recovery > RECOVERY
        unseen = self.worst < self.before - ALLOWED and not self.alarms
        return not (lasting or slow or unseen)


def main(
    run: Annotated[Path, typer.Option(help="Run of `rn adapt`.")] = Path("runs/digits"),
    bundle: Annotated[Path, typer.Option(help="Its bundle.")] = Path("bundles/digits"),
    attacks: Annotated[str, typer.Option(help="Names, with semicolons between.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the images.")] = 0,
    out: Annotated[Path | None, typer.Option(help="JSON file for what was found.")] = None,
) -> None:
    """Print a row per attack and phase."""
    logging.getLogger("service").addHandler(logging.NullHandler())
    torch.set_num_threads(1)
    trained, loaded = load_run(run), load_bundle(bundle)
    digits = target_images(trained.preprocessing)
    order = np.random.default_rng(seed).permutation(len(digits))
    held, rest = order[:HELD_OUT], order[HELD_OUT:]
    results = []
    print(
        f"{'attack':<32}{'phase':<18}{'before':>7}{'worst':>7}{'end':>7}{'images':>7}  versions, alarms"
    )
    for name in [each for each in attacks.split(";") if each] or ATTACKS:
        for phase in PHASES:
            good = Good(
                digits.pixels[rest], digits.labels[rest], trained, np.random.default_rng(seed)
            )

            def accuracy(target: OnlineTarget) -> float:
                session = target.served.served
                predicted = session.probabilities(digits.pixels[held]).argmax(axis=1)
                return 100 * float((predicted == digits.labels[held]).mean())

            found = attack(name, phase, loaded, good, accuracy)
            results.append({**asdict(found), "passed": found.passed})
            print(
                f"{name:<32}{phase:<18}{found.before:>7.1f}{found.worst:>7.1f}{found.end:>7.1f}"
                f"{'never' if found.recovery is None else found.recovery:>7}  {found.published},"
                f" {found.alarms}  {'pass' if found.passed else 'FAIL'}",
                flush=True,
            )
    if out is not None:
        out.write_text(json.dumps(results, indent=1))


def attack(
    name: str,
    phase: str,
    bundle: Bundle,
    good: Good,
    accuracy: Callable[[OnlineTarget], float],
) -> Result:
    """Attack a target, and let good images come again."""
    chosen = ATTACKS[name]
    fresh = iter(good.random.permutation(len(good.pixels)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite"
        if phase != "fresh":
            with _target(bundle, path) as target:
                _post_good(target, good, fresh, 256)
                if phase == "after a rollback":
                    target.rollback(None)
        with _target(bundle, path) as target:
            before, versions = accuracy(target), len(target.queries.versions(Page(1000)))
            last = target.queries.events(Page(1))[-1].id
            worst = before
            for _ in range(chosen.requests):
                images = list(chosen.make(good, chosen.size))
                images += [good.pixels[next(fresh) % len(good.pixels)] for _ in range(chosen.good)]
                _adapt(target, images, chosen.client)
                worst = min(worst, accuracy(target))
            recovery = 0 if worst >= before - ALLOWED else None
            for number in range(1, 17):
                _post_good(target, good, fresh, REQUEST)
                now = accuracy(target)
                worst = min(worst, now)
                if recovery is None and now >= before - ALLOWED:
                    recovery = REQUEST * number
            events = target.queries.events(Page(1000, after=last))
            return Result(
                attack=name,
                phase=phase,
                before=before,
                worst=worst,
                end=accuracy(target),
                recovery=recovery,
                published=len(target.queries.versions(Page(1000))) - versions,
                alarms=sum(event.kind in ALARMS for event in events),
            )


@contextmanager
def _target(bundle: Bundle, ledger: Path) -> Iterator[OnlineTarget]:
    settings = Settings.model_validate({"bundle": Path(), "adaptation": "auto", "threads": 1})
    opened = Ledger(f"sqlite:///{ledger}")
    try:
        report = TargetReport("digits", "default", Metrics())
        yield OnlineTarget("default", bundle, opened, settings, report)
    finally:
        opened.close()


def _post_good(target: OnlineTarget, good: Good, fresh: Iterator[int], count: int) -> None:
    for start in range(0, count, REQUEST):
        numbers = [next(fresh, start) for _ in range(min(REQUEST, count - start))]
        _adapt(target, [good.pixels[number] for number in numbers], "ann")


def _adapt(target: OnlineTarget, images: Sequence[Pixels], client: str | None) -> None:
    with suppress(AdaptationFrozen):
        target.adapt(images, client=client)


if __name__ == "__main__":
    typer.run(main)

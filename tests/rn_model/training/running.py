"""Tiny trainings, in this process and in others that can receive signals or fill the disk."""

import contextlib
import json
import multiprocessing
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from rn_model.runs.record import WEIGHTS
from rn_model.training.config import RunConfig
from rn_model.training.config_file import validate
from rn_model.training.records.history import FILE
from rn_model.training.result import Result
from rn_model.training.run import train
from tests.rn_model.training.networks import STRIKES

CLASSES = 3
SIZE = 12
LONG = 300.0

# Torch and all other modules are imported once, in a process that all others are forked from.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(
    [__name__, "rn.application", "rn_model.report", "sklearn.manifold"]
)


def write_arrays(path: Path, count: int, seed: int, shift: int = 0, classes: int = CLASSES) -> Path:
    """Write grey images with a bar at the position of their class; ``shift`` makes another domain."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    images = generator.integers(0, 60 + shift, (count, SIZE, SIZE))
    for image, label in zip(images, labels, strict=True):
        image[3 * label : 3 * label + 4] += 120 - shift
    np.savez(path, images=images.astype(np.uint8), labels=labels.astype(np.uint8))
    return path


def tiny(folder: Path, **changes: Any) -> dict[str, Any]:
    """Make a configuration: 4 steps on the source, 6 on both domains, a checkpoint every other step.

    Args:
        folder: folder of the images, which are written if they do not exist.
        changes: values by names with ``__`` for a dot.
    """
    for name, seed, shift in (
        ("source", 1, 0),
        ("other", 2, 10),
        ("held", 3, 0),
        ("target", 4, 40),
    ):
        if not (folder / f"{name}.npz").exists():
            write_arrays(folder / f"{name}.npz", 47, seed, shift)
    raw: dict[str, Any] = {
        "name": "tiny",
        "task": {
            "source": {"path": str(folder / "source.npz")},
            "validation": {"path": str(folder / "held.npz")},
            "target": {"path": str(folder / "target.npz")},
        },
        "preprocessing": {
            **{"mode": "L", "height": SIZE, "width": SIZE},
            **{"mean": [0.3], "std": [0.3]},
        },
        "backbone": {"name": "tests.rn_model.training.networks:StrikingNet"},
        "objectives": [{"name": "mcc"}],
        "training": {
            **{"source_steps": 4, "steps": 6, "batch_size": 12, "learning_rate": 0.05},
            **{"evaluate_every": 3, "checkpoint_every": 2},
        },
        "device": "cpu",
        "keep_images": 5,
    }
    for name, value in changes.items():
        *parents, last = name.split("__")
        place = raw
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return raw


def config(raw: Mapping[str, Any]) -> RunConfig:
    """Check a configuration as the command does."""
    return validate(raw, "tiny")


def trained(raw: Mapping[str, Any], out: Path, *, resume: bool = False) -> Result:
    """Train in this process."""
    return train(config(raw), out, resume=resume, tensorboard=False)


@dataclass(frozen=True)
class Finished:
    """Exit code of a process (negative for a signal) and its output."""

    code: int
    output: str
    errors: str


def rn_adapt(raw: Mapping[str, Any], out: Path, *flags: str, strikes: str = "") -> Finished:
    """Run ``rn adapt`` in a separate process.

    Args:
        raw: the configuration.
        out: directory of the run.
        flags: further arguments.
        strikes: see :class:`tests.rn_model.training.networks.StrikingNet`.
    """
    path = out.with_name(f"{out.name}.yaml")
    path.write_text(yaml.safe_dump(dict(raw)))
    return rn("adapt", str(path), "--out", str(out), *flags, folder=out.parent, strikes=strikes)


def rn(*arguments: str, folder: Path, strikes: str = "") -> Finished:
    """Run ``rn`` in a separate process."""
    log = folder / "process.out", folder / "process.err"
    process = _PROCESSES.Process(target=_main, args=(arguments, folder, log, strikes))
    process.start()
    process.join(LONG)
    if process.is_alive():
        process.kill()
        process.join()
        raise AssertionError(f"rn {' '.join(arguments)} did not end: {log[1].read_text()}")
    code = process.exitcode
    assert code is not None
    return Finished(code, *(path.read_text() for path in log))


def _main(arguments: tuple[str, ...], folder: Path, log: tuple[Path, Path], strikes: str) -> None:
    from rn.main import main

    os.chdir(folder)
    for stream, path in zip((sys.stdout, sys.stderr), log, strict=True):
        with path.open("w") as file:
            os.dup2(file.fileno(), stream.fileno())
    os.environ[STRIKES] = strikes
    sys.argv = ["rn", *arguments]
    with contextlib.ExitStack() as stack:
        stack.callback(sys.stdout.flush)
        stack.callback(sys.stderr.flush)
        main()


def history(out: Path) -> list[dict[str, Any]]:
    """Entries of the history of a run, without values that depend on the clock."""
    lines = [json.loads(line) for line in (out / FILE).read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "images_per_second"} for line in lines]


def weights(out: Path) -> bytes:
    """Weights of the network that a run kept."""
    return (out / WEIGHTS).read_bytes()


def assert_same_run(one: Path, other: Path) -> None:
    """Check that two runs have exactly the same outcome."""
    assert weights(one) == weights(other)
    assert history(one) == history(other)
    results = [Result.read(out) for out in (one, other)]
    assert results[0] is not None and results[1] is not None
    assert results[0].model_copy(update={"seconds": 0.0}).model_dump(exclude={"before"}) == results[
        1
    ].model_copy(update={"seconds": 0.0}).model_dump(exclude={"before"})

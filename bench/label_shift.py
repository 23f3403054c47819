"""Selects a network under label shift, photo to sketch: ``python -m bench.label_shift --data FOLDER``."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bench.photograph_tasks import FEATURES, WEIGHTS
from bench.photograph_tasks import PHOTOGRAPHS as IMAGES
from bench.resnet20 import settings, write_features
from rn_model.training.config_file import validate
from rn_model.training.records.artifacts import EVALUATION
from rn_model.training.result import Result
from rn_model.training.run import train, train_source

_TARGET_IMAGES = 1200
_DRAWS = 4000


def main(
    data: Annotated[Path, typer.Option(help=f"Folder with {IMAGES} and {WEIGHTS}.")],
    kinds: Annotated[list[str] | None, typer.Option("--kind", help="Normalization.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps of each stage.")] = 200,
    labels: Annotated[int, typer.Option(min=1, help="Labelled target images of the probe.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
) -> None:
    """Train with MCC, once selected without labels and once by a probe, and print both choices."""
    console = Console(width=120, highlight=False)
    torch.set_num_threads(threads)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_features(data / WEIGHTS, folder / FEATURES)
        classes, true = _prepare(data / IMAGES, folder, labels, seed)
        raw = _configuration(data / IMAGES, folder, classes, steps, seed)
        start = train_source(validate(raw, "source"), folder / "source")
        table = Table("normalization", "selected", "kept", "target %", "probe", "shift %", box=None)
        warnings: dict[str, str | None] = {}
        for kind in kinds or ["rn"]:
            for name, result in _runs(raw | {"start": str(start)}, kind, folder):
                assert result.before is not None and result.class_shares is not None
                accuracy = 100 * (result.oracle_target_accuracy or 0.0)
                kept = f"{result.kept}, step {result.chosen_step}"
                shift = f"{100 * result.class_shares.distance:.0f}"
                probe = "-" if result.probe is None else str(result.probe)
                table.add_row(kind, name, kept, f"{accuracy:.1f}", probe, shift)
                warnings[kind] = warnings.get(kind) or result.class_shares.warning(classes)
                first = 100 * (result.before.oracle_target_accuracy or 0.0)
            _print_preferences(folder / f"{kind}-without", console)
    console.print(table)
    console.print(f"source only, as trained: {first:.1f} % of all target images")
    console.print(f"true difference of the class shares: {100 * true:.0f} %")
    for kind, warning in warnings.items():
        console.print(f"{kind}: {warning or 'no warning'}")


def _prepare(path: Path, folder: Path, labels: int, seed: int) -> tuple[list[str], float]:
    """Write the probe; return the classes and the true distance between the class shares."""
    with np.load(path, allow_pickle=False) as arrays:
        drawn = np.random.default_rng(seed).permutation(len(arrays["sketch"]))[:labels]
        sketches, photos = arrays["sketch_labels"].astype(int), arrays["photo_labels"].astype(int)
        np.savez(folder / "probe.npz", images=arrays["sketch"][drawn], labels=sketches[drawn])
        classes = [str(name) for name in arrays["classes"]]
    shares = [np.bincount(x, minlength=len(classes)) / len(x) for x in (photos, sketches)]
    return classes, float(abs(shares[0] - shares[1]).sum() / 2)


def preferences(
    before: NDArray[np.bool_], after: NDArray[np.bool_], labels: int
) -> tuple[float, float]:
    """How often a probe prefers the first of two networks, and how often it finds no difference.

    Args:
        before, after: whether the predictions of each network are correct, ``(M,)``.
        labels: number of images of a probe, drawn at random.
    """
    generator = np.random.default_rng(0)
    drawn = [generator.choice(len(before), labels, replace=False) for _ in range(_DRAWS)]
    differences = np.array([int(before[d].sum()) - int(after[d].sum()) for d in drawn])
    return float((differences > 0).mean()), float((differences == 0).mean())


def _print_preferences(run: Path, console: Console) -> None:
    with np.load(run / EVALUATION) as arrays:
        true = arrays["target_true"]
        before = arrays["before_predicted"] == true
        after = arrays["target_probability"].argmax(axis=1) == true
    for labels in (20, 50, 100, 300):
        first, equal = preferences(before, after, labels)
        console.print(
            f"probes of {labels} images: {first:.0%} prefer the source-only network to the kept one,"
            f" {equal:.0%} neither"
        )


def _configuration(
    images: Path, folder: Path, classes: list[str], steps: int, seed: int
) -> dict[str, Any]:
    sets: dict[str, dict[str, Any]] = {
        role: {
            "path": str(images.absolute()),
            "images_key": name,
            "labels_key": f"{name}_labels",
            "classes": classes,
        }
        for role, name in (("source", "photo"), ("target", "sketch"))
    }
    sets["target"]["draw"] = {"count": _TARGET_IMAGES}
    return {
        "name": "photo to sketch",
        "task": {**sets, "classes": classes},
        **settings(folder / FEATURES),
        "objectives": [{"name": "mcc"}],
        "training": {"source_steps": steps, "steps": steps, "learning_rate": 0.01},
        "seed": seed,
    }


def _runs(raw: dict[str, Any], kind: str, folder: Path) -> Iterator[tuple[str, Result]]:
    probed = {**raw["task"], "probe": {"path": str(folder / "probe.npz")}}
    for name, task in (("without labels", raw["task"]), ("by the probe", probed)):
        config = validate({**raw, "task": task, "normalization": {"kind": kind}}, name)
        yield name, train(config, folder / f"{kind}-{name.split()[0]}", tensorboard=False)


if __name__ == "__main__":
    typer.run(main)

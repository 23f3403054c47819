"""Online adaptation against methods from the papers: ``python -m bench.online --data FOLDER``.

The pretrained CIFAR ResNet-20 meets streams of its test images under corruptions. Two errors, in percent of
the images that have a class: *now*, of a batch that the method adapts to and then predicts, and *next*,
of a batch that is predicted as what was learned before it says, which is what ``/predict`` serves. Rivals
are torch methods (``bench.streams.rivals``); ours is the engine of the service, run in this process.
"""

import json
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from torch import nn

from bench.streams.networks import export_network, load_network, read_pools, to_input
from bench.streams.orders import JUNK_LABEL, STREAMS, Stream
from bench.streams.rivals import RIVALS
from bundle import load_bundle
from bundle.preprocessing import Pixels
from rn.replaying.steps import offline_target
from service.settings import Settings
from service.targets.target import OnlineTarget

Labels = NDArray[np.int64]
OURS = "ours"
# The same, of clients who want no predictions from /adapt, so that less is measured; *now* is *next*.
SILENT = "ours silent"


class Answers(NamedTuple):
    """Classes ``(N,)`` of a batch, adapted to it and as they were predicted before it."""

    now: Labels
    next: Labels | None


Method = Callable[[Pixels], Answers]


def main(
    data: Annotated[
        Path, typer.Option(help="Folder with CIFAR10.npz, its ResNet-20 and MNIST.npz.")
    ],
    streams: Annotated[str, typer.Option(help="Names, with semicolons between.")] = "",
    methods: Annotated[str, typer.Option(help="Names, with commas between.")] = "",
    seeds: Annotated[int, typer.Option(min=1, help="Random draws.")] = 5,
    first: Annotated[int, typer.Option(min=0, help="Seed of the first.")] = 0,
    out: Annotated[Path | None, typer.Option(help="JSON file, read first and continued.")] = None,
    relations: Annotated[bool, typer.Option(help="Shrink by the relations of channels.")] = False,
    setting: Annotated[list[str] | None, typer.Option(help="NAME=VALUE of the engine.")] = None,
) -> None:
    """Print a row per stream and method."""
    torch.set_num_threads(1)
    chosen = [name for name in streams.split(";") if name] or list(STREAMS)
    wanted = [name for name in methods.split(",") if name] or [*RIVALS, OURS, SILENT]
    found: dict[str, Any] = json.loads(out.read_text()) if out is not None and out.exists() else {}
    network = load_network(data)
    images, pool = read_pools(data)
    given = dict(text.split("=", 1) for text in setting or [])
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        export_network(network, images, bundle, relations)
        for name in chosen:
            for seed in range(first, first + seeds):
                stream = STREAMS[name](pool, np.random.default_rng([seed, *name.encode()]))
                for method in wanted:
                    key = f"{name}|{method}|{seed}"
                    if key in found:
                        continue
                    with _open(method, network, bundle, given) as run:
                        found[key] = measure(stream, run)
                    if out is not None:
                        out.write_text(json.dumps(found, indent=1))
            for method in wanted:
                print(row(name, method, found), flush=True)


def measure(stream: Stream, method: Method) -> dict[str, Any]:
    """Errors in percent, over the whole stream and of its last part."""
    wrong: dict[str, list[NDArray[np.bool_]]] = {"now": [], "next": []}
    for start in range(0, len(stream.labels), stream.batch_size):
        part = slice(start, start + stream.batch_size)
        answers = method(stream.pixels[part])
        labels = stream.labels[part]
        for kind, predicted in answers._asdict().items():
            if predicted is not None:
                wrong[kind].append(predicted != labels)
    counted = stream.labels != JUNK_LABEL
    start = stream.parts[-2][1] if len(stream.parts) > 1 else 0
    found: dict[str, Any] = {}
    for kind, parts in wrong.items():
        if parts:
            errors = np.concatenate(parts)
            found[kind] = 100 * float(errors[counted].mean())
            found[f"last {kind}"] = 100 * float(errors[start:][counted[start:]].mean())
    return found


@contextmanager
def _open(
    name: str, network: nn.Module, bundle: Path, given: Mapping[str, str]
) -> Iterator[Method]:
    if name not in (OURS, SILENT):
        rival = RIVALS[name](network)
        yield lambda pixels: Answers(_labels(rival.predict(to_input(pixels)).numpy()), None)
        return
    settings = Settings.model_validate(
        {"bundle": bundle, "adaptation": "auto", "threads": 1, **given}
    )
    logging.getLogger("service").addHandler(logging.NullHandler())
    with offline_target(load_bundle(bundle), settings) as target:
        yield lambda pixels: _adapt(target, pixels, predict=name == OURS)


def _adapt(target: OnlineTarget, pixels: Pixels, predict: bool) -> Answers:
    before = target.served.served.probabilities(pixels).argmax(axis=1)
    outcome = target.adapt(list(pixels), predict=predict)
    now = before if outcome.probabilities is None else _labels(outcome.probabilities)
    return Answers(now, before)


def _labels(scores: NDArray[Any]) -> Labels:
    found: Labels = scores.argmax(axis=1)
    return found


def row(stream: str, method: str, found: Mapping[str, Mapping[str, float]]) -> str:
    """One line of the table: means and standard deviations over the draws."""
    draws = [values for key, values in found.items() if key.startswith(f"{stream}|{method}|")]
    text = f"{stream:<28}{method:<18}"
    for kind in ("now", "next", "last now", "last next"):
        text += _cell([values[kind] for values in draws if kind in values])
    return text


def _cell(values: Sequence[float]) -> str:
    if not values:
        return f"{'':>14}"
    return f"{np.mean(values):>7.1f} +-{np.std(values):>4.1f}"


if __name__ == "__main__":
    typer.run(main)

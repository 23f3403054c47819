"""``rn adapt --dry-run``: what a run would train on, without training."""

from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.extras import install_command
from rn.failing import fail

if TYPE_CHECKING:
    from rich.console import Console
    from torch import nn

    from rn_model.data import ImageSet, Task
    from rn_model.runs.record import Run
    from rn_model.training.config import RunConfig

# Reading this many photographs takes minutes.
MAX_IMAGES = 10_000
MOST_LINES = 5
MOST_CLASSES = 10


def describe_run(config: "RunConfig", base: Path, console: "Console", *, verbose: bool) -> None:
    """Check the images, settings and network of a run, and print them.

    The network is trained for one step, saved, loaded and exported in miniature.

    Args:
        config: configuration of the run.
        base: folder that relative paths of the configuration start from.
        console: console to print to.
        verbose: whether to print every setting, class and remark, as YAML with comments.

    Raises:
        ValueError: if images are missing or inconsistent, or the network cannot be made, trained, saved
            or exported.
        CommandError: if an image at which the run would stop cannot be read.
    """
    import yaml

    from rn_model.data import open_task
    from rn_model.data.readability import try_images
    from rn_model.training.network import build_network

    task = open_task(config.task, config.preprocessing, base=base)
    network = build_network(config, task, config.normalization, base)
    tried = _try_network(config, task, base)
    sets = [*task.sources, task.validation, task.target, *filter(None, [task.test, task.probe])]
    found = try_images(sets, MAX_IMAGES)
    if verbose:
        settings = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
        console.print(settings, markup=False, highlight=False, end="", soft_wrap=True)
    lines = [
        *_limited([f"skipped: {line}" for line in task.skipped], verbose),
        *_limited([f"note: {line}" for line in task.notes], verbose),
        *_limited([f"unreadable: {line}" for line in found.problems], verbose),
        *_images(task),
        _classes(task, verbose),
    ]
    if found.total:
        rest = found.total - found.read
        left = f"; {rest:,} more were not tried" if rest else ""
        readable = found.read - len(found.problems)
        lines.append(f"{readable:,} of {found.read:,} image files can be read{left}")
    lines += [*_network(config, network), tried, *_training(config)]
    if not verbose:
        lines.append("--verbose prints every setting")
    for line in lines:
        console.print(f"# {line}", markup=False, highlight=False, soft_wrap=True)
    if found.problems:
        count = len(found.problems)
        fail(
            f"{count} image {'file' if count == 1 else 'files'} cannot be read, where the run would stop:"
            " repair or remove them, or set task.source.0.unreadable=skip and task.target.unreadable=skip"
        )


def _try_network(config: "RunConfig", task: "Task", base: Path) -> str:
    """Do everything once with the network; return a line that says what was done."""
    from rn_model.training.rehearsal import rehearse

    steps = "converted, trained for one step, saved and loaded"
    if find_spec("onnxruntime") is None:
        rehearse(config, task, base)
        return f"network: {steps}; not exported, which needs onnxruntime: {install_command('cpu')}"
    from export import BundleInfo
    from export.exporter import build_bundle

    def export(run: "Run") -> None:
        build_bundle(run.model, BundleInfo("trial", run.classes, run.preprocessing, {}))

    rehearse(config, task, base, export)
    return f"network: {steps}, and exported"


def _images(task: "Task") -> Iterator[str]:
    roles: list[tuple[str, ImageSet]] = [("source", images) for images in task.sources]
    roles += [("target", task.target), ("validation", task.validation)]
    roles += [("test", task.test)] if task.test else []
    roles += [("probe", task.probe)] if task.probe else []
    for role, images in roles:
        yield f"{role} {images.name}: {len(images):,} images"


def _classes(task: "Task", verbose: bool) -> str:
    names = task.classes if verbose else task.classes[:MOST_CLASSES]
    counts: Counter[int] = Counter()
    for images in task.sources:
        assert images.labels is not None
        counts.update(images.labels.tolist())
    text = ", ".join(f"{name} ({counts[number]})" for number, name in enumerate(names))
    rest = len(task.classes) - len(names)
    return f"{len(task.classes)} classes: {text}{f' and {rest} more' if rest else ''}"


def _network(config: "RunConfig", network: "nn.Module") -> Iterator[str]:
    from rn_model.layers.domain_norm import domain_norms

    millions = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    layers = len(list(domain_norms(network)))
    kind = config.normalization.kind
    yield f"{config.backbone.name}: {millions:.1f} million parameters, {layers} {kind} layers"
    yield f"weights: {config.backbone.weights_file or 'random'}"


def _training(config: "RunConfig") -> Iterator[str]:
    contract, training = config.preprocessing, config.training
    objectives = ", ".join(objective.name for objective in config.objectives) or "none"
    yield f"images: {contract.mode}, {contract.height}x{contract.width}"
    yield f"objectives: {objectives}"
    yield (
        f"steps: {training.source_steps} on the source, {training.steps} on both domains, with"
        f" {training.batch_size} images of each"
    )
    yield f"device: {config.device}; seed: {config.seed}"


def _limited(lines: Sequence[str], verbose: bool) -> list[str]:
    if verbose or len(lines) <= MOST_LINES:
        return list(lines)
    return [*lines[:MOST_LINES], f"... and {len(lines) - MOST_LINES} more such lines"]

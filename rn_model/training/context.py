"""Everything that the stages of a run share: configuration, device, images and their preprocessing."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lightning_fabric import Fabric
from torch import nn

from bundle.preprocessing import Preprocessing
from rn_model.data import ImageSet, Task, load_preprocessing, make_augmentation, open_task
from rn_model.data.tensors import normalize_unit
from rn_model.layers import Normalization
from rn_model.layers.domains import DOMAINS, Domain
from rn_model.training.batches.views import Views
from rn_model.training.config import RunConfig
from rn_model.training.evaluation.reader import Reader
from rn_model.training.network import build_network
from rn_model.training.processes.fabric import make_fabric


@dataclass(frozen=True)
class RunContext:
    """Objects that all stages of a run use.

    Attributes:
        config: configuration of the run.
        fabric: device, precision and processes.
        base: folder that relative paths of the configuration start from.
        task: images as the network sees them in evaluation.
        sources: source images as training reads them, larger than in ``task`` if they are cropped.
        target: target images as training reads them.
        views: augmentation and scaling of training images.
        reader: reads the images of ``task``.
    """

    config: RunConfig
    fabric: Fabric
    base: Path
    task: Task
    sources: tuple[ImageSet, ...]
    target: ImageSet
    views: Views
    reader: Reader

    def new_network(self, normalization: Normalization) -> nn.Module:
        """Make the network of the run before training, on its device."""
        network = build_network(self.config, self.task, normalization, self.base)
        return network.to(self.fabric.device)


def open_context(config: RunConfig, base: Path) -> RunContext:
    """Set up the device and open the images.

    Args:
        config: configuration of the run.
        base: folder that relative paths of the configuration start from.

    Raises:
        ValueError: if the device is not available, or images are missing or inconsistent.
    """
    fabric = make_fabric(config)
    task = _open_task(config, base)
    augment: dict[Domain, nn.Module] = {}
    read: dict[Domain, Preprocessing] = {}
    for domain in DOMAINS:
        views = getattr(config.augmentation, domain)
        augment[domain] = make_augmentation(views, config.preprocessing).to(fabric.device)
        read[domain] = load_preprocessing(views, config.preprocessing)
    return RunContext(
        config=config,
        fabric=fabric,
        base=base,
        task=task,
        sources=tuple(images.through(read["source"]) for images in task.sources),
        target=task.target.through(read["target"]),
        views=Views(augment, partial(normalize_unit, preprocessing=config.preprocessing)),
        reader=Reader(config.preprocessing, fabric.device, config.training.workers),
    )


_last_task: dict[str, Task] = {}


def _open_task(config: RunConfig, base: Path) -> Task:
    """Open the images of a run, or reuse those of the last run in this process."""
    contract = config.preprocessing
    key = f"{config.task.model_dump_json()} {contract.model_dump_json()} {base.absolute()}"
    if key not in _last_task:
        _last_task.clear()
        _last_task[key] = open_task(config.task, contract, base=base)
    return _last_task[key]


def image_fingerprints(task: Task) -> dict[str, str]:
    """SHA-256 of each image set that training depends on, by role and name."""
    sets = {f"source {images.name}": images for images in task.sources}
    sets |= {f"validation {task.validation.name}": task.validation}
    sets |= {f"target {task.target.name}": task.target}
    if task.probe is not None:
        sets |= {f"probe {task.probe.name}": task.probe}
    return {name: images.fingerprint for name, images in sets.items()}

"""Device, images and networks of a run."""

import logging
import os
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from bundle.preprocessing import Preprocessing
from bundle.text import describe_error
from bundle.writing.atomic import write_file
from rn_model.backbones import make_network
from rn_model.data import ImageSet, Task, load_preprocessing, make_augmentation, open_task
from rn_model.data.tensors import normalize_unit
from rn_model.layers import Normalization, convert_normalization
from rn_model.layers.domain_norm import domain_norms
from rn_model.layers.domains import DOMAINS, Domain
from rn_model.training.batches.sampler import combine
from rn_model.training.config import RunConfig
from rn_model.training.errors import TrainingError, writing
from rn_model.training.evaluation.prediction import Reader
from rn_model.training.stages.loop import Views

SOURCE_WEIGHTS = "source.safetensors"
# Of DistributedDataParallel: its own option has a new name in newer versions only, and a layout of
# gradients that it makes for itself.
_IDLE_WARNINGS = ("`broadcast_buffers` is deprecated", "Grad strides do not match bucket view")


@dataclass(frozen=True)
class Workshop:
    """What all stages of a run use.

    Attributes:
        config: of the run.
        fabric: device, precision, processes.
        task: images as the network sees them in evaluation.
        sources, target: the same images as training reads them, perhaps larger.
        views: random views of the latter.
        reader: of the former.
    """

    config: RunConfig
    fabric: Fabric
    task: Task
    sources: tuple[ImageSet, ...]
    target: ImageSet
    views: Views
    reader: Reader


def make_fabric(config: RunConfig) -> Fabric:
    """The device and the processes of a run; several processes are those that ``torchrun`` started.

    Raises:
        TrainingError: if a GPU is asked for that is not there, or the batch is too small.
    """
    cuda = torch.cuda.is_available()
    if config.device == "cuda" and not cuda:
        raise TrainingError("device is cuda, and torch sees no GPU here: use device cpu or auto")
    accelerator = "cuda" if cuda and config.device != "cpu" else "cpu"
    if accelerator == "cpu" and config.training.precision == "16-mixed":
        raise TrainingError(
            "training.precision 16-mixed needs a GPU: on the CPU use bf16-mixed or 32-true"
        )
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if config.training.batch_size < processes:
        raise TrainingError(
            f"training.batch_size is {config.training.batch_size}, over all processes together:"
            f" {processes} processes need at least {processes}"
        )
    # It announces the precision on every start; the configuration says it already.
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    strategy: DDPStrategy | str = "auto"
    if processes > 1:
        # Statistics are reduced in the layers: buffers are the same everywhere without being broadcast.
        strategy = DDPStrategy(broadcast_buffers=False)
        for message in _IDLE_WARNINGS:
            warnings.filterwarnings("ignore", message)
    fabric = Fabric(
        accelerator=accelerator,
        devices=local,
        num_nodes=processes // local,
        strategy=strategy,
        precision=config.training.precision,
    )
    fabric.launch()
    return fabric


def open_workshop(config: RunConfig, base: Path) -> Workshop:
    """Find the device and open the images.

    Args:
        config: of the run.
        base: folder that relative paths of the configuration begin at.
    """
    fabric = make_fabric(config)
    task = _open(config, base)
    augment: dict[Domain, nn.Module] = {}
    read: dict[Domain, Preprocessing] = {}
    for domain in DOMAINS:
        views = getattr(config.augmentation, domain)
        augment[domain] = make_augmentation(views, config.preprocessing).to(fabric.device)
        read[domain] = load_preprocessing(views, config.preprocessing)
    return Workshop(
        config,
        fabric,
        task,
        tuple(images.through(read["source"]) for images in task.sources),
        task.target.through(read["target"]),
        Views(augment, partial(normalize_unit, preprocessing=config.preprocessing)),
        Reader(config.preprocessing, fabric.device, config.training.workers),
    )


_opened: dict[str, Task] = {}


def _open(config: RunConfig, base: Path) -> Task:
    """Open images, or take those of the last run in this process: many runs share a task."""
    contract = config.preprocessing
    key = f"{config.task.model_dump_json()} {contract.model_dump_json()} {base.absolute()}"
    if key not in _opened:
        _opened.clear()
        _opened[key] = open_task(config.task, contract, base=base)
    return _opened[key]


def image_fingerprints(task: Task) -> dict[str, str]:
    """Which images a task is made of: a SHA-256 for each set that training depends on."""
    sets = {f"source {images.name}": images for images in task.sources}
    sets |= {f"validation {task.validation.name}": task.validation}
    sets |= {f"target {task.target.name}": task.target}
    return {name: images.fingerprint for name, images in sets.items()}


def new_network(workshop: Workshop, normalization: Normalization, base: Path) -> nn.Module:
    """The network of a run before training, on its device; see :func:`plan_network`."""
    network = plan_network(workshop.config, workshop.task, normalization, base)
    return network.to(workshop.fabric.device)


def plan_network(
    config: RunConfig, task: Task, normalization: Normalization, base: Path
) -> nn.Module:
    """The network of a run before training, with its pretrained weights if it has any.

    Raises:
        ValueError: if it cannot be made, or none of its layers can be adapted.
    """
    weights = config.backbone.weights
    backbone = config.backbone.model_copy(update={"weights": weights and base / weights})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(combine(config.seed, 7))
        contract = config.preprocessing
        size = contract.height, contract.width
        network = make_network(backbone, len(task.classes), contract.channels, size)
    network = convert_normalization(network, normalization)
    if next(domain_norms(network), None) is None:
        raise TrainingError(
            f"{backbone.name} has no BatchNorm layer that {normalization.kind} can stand for: they must"
            " keep running statistics"
        )
    return network


def save_source(folder: Path, network: nn.Module) -> None:
    """Keep a network that was trained on the source alone, with its BatchNorm, to begin others with."""
    with writing(folder / SOURCE_WEIGHTS):
        write_file(folder / SOURCE_WEIGHTS, save(_with_batch_norm(network)))


def load_source(path: Path, network: nn.Module) -> None:
    """Begin a converted network with the weights and statistics of :func:`save_source`.

    Raises:
        TrainingError: if the file is missing or belongs to another network.
    """
    try:
        network.load_state_dict(load_file(path))
    except FileNotFoundError as error:
        raise TrainingError(f"there is no {path} to begin with") from error
    except (RuntimeError, SafetensorError) as error:
        line = describe_error(error, limit=300)
        raise TrainingError(f"{path} does not fit the network of this run: {line}") from error


def _with_batch_norm(network: nn.Module) -> dict[str, Tensor]:
    """The state of the network in which every converted layer is a BatchNorm with source statistics."""
    state = {
        name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()
    }
    for name, layer in domain_norms(network):
        prefix = f"{name}." if name else ""
        own = {key for key in state if key.startswith(prefix)}
        kept = {f"{prefix}{key}" for key in ("weight", "bias", "num_batches_tracked")}
        for key in own - kept:
            del state[key]
        mean, variance = layer.running("source")
        state[f"{prefix}running_mean"] = mean.detach().cpu().clone()
        state[f"{prefix}running_var"] = variance.detach().cpu().clone()
    return state

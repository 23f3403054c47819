"""Device, precision and processes of a run, as a Lightning Fabric."""

import logging
import os
import warnings

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy

from rn_model.training.config import RunConfig
from rn_model.training.errors import TrainingError

# Harmless warnings of DistributedDataParallel: about an option that only newer versions have under
# another name, and about the memory layout of gradients, which it chooses itself.
_HARMLESS = ("`broadcast_buffers` is deprecated", "Grad strides do not match bucket view")


def make_fabric(config: RunConfig) -> Fabric:
    """Set up the device and the processes of a run; ``torchrun`` starts several processes.

    Raises:
        TrainingError: if the device or the precision is not available, or the batch is too small.
    """
    cuda = torch.cuda.is_available()
    if config.device == "cuda" and not cuda:
        raise TrainingError("device is cuda, but torch finds no GPU: use device cpu or auto")
    accelerator = "cuda" if cuda and config.device != "cpu" else "cpu"
    if accelerator == "cpu" and config.training.precision == "16-mixed":
        raise TrainingError(
            "training.precision 16-mixed needs a GPU: on the CPU use bf16-mixed or 32-true"
        )
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if config.training.batch_size < processes:
        raise TrainingError(
            f"training.batch_size is {config.training.batch_size} over all processes together, but"
            f" {processes} processes need at least {processes}"
        )
    # Fabric would announce the precision at every start; the configuration already states it.
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    strategy: DDPStrategy | str = "auto"
    if processes > 1:
        # The layers reduce their statistics, so buffers are equal everywhere without a broadcast.
        strategy = DDPStrategy(broadcast_buffers=False)
        for message in _HARMLESS:
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

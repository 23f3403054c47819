"""The weights of a network after the source stage, with which other runs can start."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from bundle.text import describe_error
from bundle.writing.atomic import write_file
from rn_model.layers.domain_norm import DomainNorm
from rn_model.runs.tensors import encode_tensors
from rn_model.training.errors import TrainingError, writing

SOURCE_WEIGHTS = "source.safetensors"


def save_source(folder: Path, network: nn.Module) -> None:
    """Save a network after the source stage, with its converted layers as plain BatchNorm."""
    with writing(folder / SOURCE_WEIGHTS):
        write_file(folder / SOURCE_WEIGHTS, encode_tensors(_with_batch_norm(network)))


def load_source(path: Path, network: nn.Module) -> None:
    """Load the weights and statistics that :func:`save_source` wrote into a converted network.

    Raises:
        TrainingError: if the file is missing or belongs to another network.
    """
    try:
        network.load_state_dict(load_file(path))
    except FileNotFoundError as error:
        raise TrainingError(f"start weights not found: {path}") from error
    except (RuntimeError, SafetensorError) as error:
        line = describe_error(error, limit=300)
        raise TrainingError(f"{path} does not fit the network of this run: {line}") from error


def _with_batch_norm(network: nn.Module) -> dict[str, Tensor]:
    """State of the network in which every converted layer is a BatchNorm with source statistics."""
    state: dict[str, Tensor] = dict(network.state_dict())
    # A layer under two names has its tensors under both.
    for name, layer in network.named_modules(remove_duplicate=False):
        if not isinstance(layer, DomainNorm):
            continue
        prefix = f"{name}." if name else ""
        own = {key for key in state if key.startswith(prefix)}
        kept = {f"{prefix}{key}" for key in ("weight", "bias", "num_batches_tracked")}
        for key in own - kept:
            del state[key]
        mean, variance = layer.running("source")
        state[f"{prefix}running_mean"] = mean
        state[f"{prefix}running_var"] = variance
    return state

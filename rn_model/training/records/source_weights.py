"""The weights of a network after the source stage, with which other runs can start."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from bundle.text import describe_error
from bundle.writing.atomic import write_file
from rn_model.layers.domain_norm import domain_norms
from rn_model.training.errors import TrainingError, writing

SOURCE_WEIGHTS = "source.safetensors"


def save_source(folder: Path, network: nn.Module) -> None:
    """Save a network after the source stage, with its converted layers as plain BatchNorm."""
    with writing(folder / SOURCE_WEIGHTS):
        write_file(folder / SOURCE_WEIGHTS, save(_with_batch_norm(network)))


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

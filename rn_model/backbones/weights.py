"""Loads pretrained weights from a local file into a network."""

import json
import pickle
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from rn_model.backbones.classifier import final_linear_name
from rn_model.backbones.input_channels import adapt_kernel, first_convolution

State = dict[str, Tensor]

INDEX_SUFFIX = ".index.json"

_NESTS = ("state_dict", "model")
_WRAPPERS = ("module.", "_orig_mod.")
# Files of torchvision's DenseNets still use names from a time when names of submodules could have dots.
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\.")


def read_weights(path: Path) -> State:
    """Read a state dict from a file.

    It may be stored under the key ``state_dict`` or ``model``, and it may be that of a wrapper
    (``module.``, ``_orig_mod.``), whose prefix is removed.

    Args:
        path: ``.safetensors`` file, PyTorch file, or ``*.index.json`` that lists several files.

    Raises:
        ValueError: if there is no such file, or it does not contain a state dict.
    """
    if not path.is_file():
        raise ValueError(f"there is no file of weights {path}")
    if path.name.endswith(INDEX_SUFFIX):
        return _read_parts(path)
    try:
        state: Any = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise ValueError(
            f"{path} cannot be read: use a .safetensors file, or a state dict that "
            "torch.load reads with weights_only=True"
        ) from error
    for nest in _NESTS:
        if isinstance(state, dict) and isinstance(state.get(nest), dict):
            state = state[nest]
    if not isinstance(state, dict) or not all(
        isinstance(value, Tensor) for value in state.values()
    ):
        raise ValueError(
            f"{path} does not contain a state dict: use one that contains only tensors"
        )
    for wrapper in _WRAPPERS:
        if all(name.startswith(wrapper) for name in state):
            state = {name.removeprefix(wrapper): value for name, value in state.items()}
    return {_OLD_DENSENET.sub(r"\1\2.", name): value for name, value in state.items()}


def _read_parts(index: Path) -> State:
    try:
        names = set(json.loads(index.read_text())["weight_map"].values())
        inside = all(Path(name).name == name for name in names)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{index} is not an index of files of weights: it has no weight_map"
        ) from error
    if not inside:
        raise ValueError(f"{index} lists files in other folders")
    state: State = {}
    for name in sorted(names):
        state |= read_weights(index.parent / name)
    return state


def load_features(
    model: nn.Module, path: Path, *, heads: Iterable[str] = (), prefix: str = ""
) -> None:
    """Load the weights of a feature extractor, in place.

    Args:
        model: feature extractor.
        path: file of its weights or of those of a whole classifier; see :func:`read_weights`.
        heads: names of classifiers in the file, which are ignored.
        prefix: prefix of the features' names in the file of a whole classifier.

    Raises:
        ValueError: see :func:`read_weights`; or if the weights do not fit.
    """
    state = {name.removeprefix(prefix): value for name, value in read_weights(path).items()}
    dropped = tuple(f"{head}." for head in heads)
    _load(model, {n: v for n, v in state.items() if not n.startswith(dropped)}, path, frozenset())


def load_classifier(model: nn.Module, path: Path) -> None:
    """Load the weights of a whole classifier, in place.

    The last linear layer keeps its own weights if those in the file are missing or of another shape.

    Raises:
        ValueError: see :func:`load_features`.
    """
    state, own = read_weights(path), model.state_dict()
    head = final_linear_name(model)
    names = {name for name in own if name.rpartition(".")[0] == head}
    if any(name not in state or state[name].shape != own[name].shape for name in names):
        state = {name: value for name, value in state.items() if name not in names}
        _load(model, state, path, frozenset(names))
    else:
        _load(model, state, path, frozenset())


def _load(model: nn.Module, state: State, path: Path, absent: frozenset[str]) -> None:
    own = model.state_dict()
    first = f"{first_convolution(model)[0]}.weight"
    if first in state and first in own:
        state = state | {first: adapt_kernel(state[first], own[first].shape[1])}
    missing = [
        name
        for name in own
        if name not in state and name not in absent and not name.endswith(".num_batches_tracked")
    ]
    shaped = [name for name in state if name in own and state[name].shape != own[name].shape]
    problems = [
        f"{what} {_some(names)}"
        for what, names in (
            ("missing", missing),
            ("unexpected", [name for name in state if name not in own]),
            ("wrong shape:", shaped),
        )
        if names
    ]
    if problems:
        raise ValueError(f"{path} does not fit the network: {'; '.join(problems)}")
    model.load_state_dict(state, strict=False)


def _some(names: list[str], count: int = 3) -> str:
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more

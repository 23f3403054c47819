"""Reads files of weights: safetensors, PyTorch files, and several of them with an index."""

import json
import pickle
from argparse import Namespace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from bundle.text import describe_error

INDEX_SUFFIX = ".index.json"

# timm and torchvision save the arguments of their training scripts, which are data, not code.
_HARMLESS = [Namespace]


def read_checkpoint(path: Path) -> Any:
    """The content of a file of weights: often a state dict, or a dict that has one somewhere in it.

    Code in a file is never run: PyTorch files are read with ``weights_only=True``.

    Args:
        path: ``.safetensors`` file, PyTorch file, or ``*.index.json`` that lists several files.

    Raises:
        ValueError: if there is no such file, or it cannot be read. The message is one line.
    """
    if not path.is_file():
        raise ValueError(f"there is no file of weights {path}")
    if path.name.endswith(INDEX_SUFFIX):
        return _read_parts(path)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with torch.serialization.safe_globals([*_HARMLESS]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (
        *(SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError),
        *(ValueError, KeyError, IndexError, TypeError, AttributeError),
    ) as error:
        raise ValueError(_explain(path, error)) from error


def _explain(path: Path, error: Exception) -> str:
    text = describe_error(error)
    if "TorchScript" in text:
        return (
            f"{path} is a TorchScript program, not a file of weights: save "
            "torch.jit.load(FILE).state_dict() with torch.save, and use that file"
        )
    if "global" in text.lower() and isinstance(error, pickle.UnpicklingError):
        return (
            f"{path} holds more than tensors{_foreign(path)}, and such objects can run code when they are "
            "read: where you trust the file, load it with torch.load(FILE, weights_only=False), save "
            "only the model's state_dict() with torch.save, and use that file"
        )
    return (
        f"{path} cannot be read: use a .safetensors file, or a state dict that "
        "torch.load reads with weights_only=True"
    )


def _foreign(path: Path) -> str:
    """Names of the objects that are not read, in brackets; empty if they cannot be found out."""
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # an old format, or a damaged file
        return ""
    harmful = sorted(set(names) - {f"{kind.__module__}.{kind.__qualname__}" for kind in _HARMLESS})
    more = f" and {len(harmful) - 3} more" if len(harmful) > 3 else ""
    return f" ({', '.join(harmful[:3])}{more})" if harmful else ""


def _read_parts(index: Path) -> dict[str, Any]:
    try:
        names = set(json.loads(index.read_text())["weight_map"].values())
        inside = all(Path(name).name == name for name in names)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{index} is not an index of files of weights: it has no weight_map"
        ) from error
    if not inside:
        raise ValueError(f"{index} lists files in other folders")
    state: dict[str, Any] = {}
    for name in sorted(names):
        part = read_checkpoint(index.parent / name)
        if not isinstance(part, dict):
            raise ValueError(f"{index.parent / name} does not contain a state dict")
        state |= part
    return state

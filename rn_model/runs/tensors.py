"""The tensors of a network as the content of a ``.safetensors`` file."""

from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor


def encode_tensors(state: Mapping[str, Any]) -> bytes:
    """Encode a state dict.

    Tensors that share memory (tied weights, a module under two names) are written once per name, because
    the format has no shared tensors. Loading them into the same network ties them again.

    Args:
        state: tensors by name, on any device.

    Raises:
        ValueError: if a value is not a dense tensor; the message names it.
    """
    seen: set[int] = set()
    tensors: dict[str, Tensor] = {}
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise ValueError(
                f"{name} of the network is a {type(value).__name__}, not a tensor, so it cannot be saved:"
                " keep it out of the state (get_extra_state)"
            )
        if value.layout is not torch.strided or value.is_quantized:
            raise ValueError(
                f"{name} of the network is not a dense tensor ({value.layout}, {value.dtype}), so it cannot"
                " be saved"
            )
        plain = value.detach().cpu().contiguous()
        memory = plain.untyped_storage().data_ptr()
        tensors[name] = plain.clone() if memory in seen else plain
        seen.add(memory)
    return save(tensors)

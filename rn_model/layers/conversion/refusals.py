"""Checks for modules whose conversion would silently change or break a network."""

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

_BATCH_NORMS = {"BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm"}
_QAT = "torch.ao.nn.intrinsic.qat"


def check_convertible(name: str, module: nn.Module) -> None:
    """Check that the normalization in a module, if there is any, can be replaced.

    Args:
        name: name of the module in the network; ``""`` for the network itself.
        module: module to check.

    Raises:
        ValueError: if it is a lazy BatchNorm without an input so far, a BatchNorm with a computed weight
            or bias, a scripted module with a BatchNorm, or a module of quantization-aware training.
    """
    where = name or "the model"
    if isinstance(module, torch.jit.ScriptModule):
        parts = (part for part in module.modules() if isinstance(part, torch.jit.ScriptModule))
        if any(part.original_name in _BATCH_NORMS for part in parts):
            raise ValueError(
                f"{where} is scripted (torch.jit), so its BatchNorm layers cannot be replaced: pass the"
                " network as it was before torch.jit.script or torch.jit.trace"
            )
    if type(module).__module__.startswith(_QAT) and isinstance(
        getattr(module, "bn", None), nn.Module
    ):
        raise ValueError(
            f"{where} ({type(module).__name__}) is prepared for quantization and reads the statistics of"
            " its BatchNorm itself: convert the network before torch.ao.quantization.prepare_qat"
        )
    if not isinstance(module, _BatchNorm):
        return
    if isinstance(module, nn.modules.lazy.LazyModuleMixin):
        raise ValueError(f"{where} is a lazy BatchNorm: run one batch through it first")
    for parameter in ("weight", "bias"):
        if parameter not in module._parameters:
            raise ValueError(
                f"the {parameter} of {where} is computed, not a parameter (pruned, parametrized or"
                " normalized): make it permanent first, with torch.nn.utils.prune.remove or"
                " torch.nn.utils.parametrize.remove_parametrizations"
            )

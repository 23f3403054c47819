"""Replaces Reciprocal Normalization with the BatchNorm that computes the same in evaluation."""

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from rn_model.layers.conversion.convert import (
    RECIPROCAL,
    copy_count,
    move_affine,
)
from rn_model.layers.conversion.surgery import replace_modules
from rn_model.layers.domains import Domain
from rn_model.layers.reciprocal_norm import ReciprocalNorm

_BATCH_NORMS = {reciprocal: batch for batch, reciprocal in RECIPROCAL.items()}


def revert_reciprocal_norm(model: nn.Module, *, branch: Domain = "target") -> nn.Module:
    """Replace every Reciprocal Normalization, in place, with the BatchNorm that computes the same.

    The running statistics of the BatchNorm are the effective moments of ``branch``, so that both compute
    the same in evaluation mode. Directly after ``convert_normalization(model, "rn")`` this restores the
    original model exactly.

    Args:
        model: model with layers of Reciprocal Normalization.
        branch: domain whose statistics the BatchNorm layers get.

    Returns:
        The model, or its replacement if the model itself is such a layer.
    """

    def revert(name: str, module: nn.Module) -> nn.Module | None:
        return _to_batch_norm(module, branch) if isinstance(module, ReciprocalNorm) else None

    return replace_modules(model, revert)


@torch.no_grad()
def _to_batch_norm(layer: ReciprocalNorm, branch: Domain) -> _BatchNorm:
    effective = layer.effective_moments(branch)
    batch_norm = _BATCH_NORMS[type(layer)](
        layer.num_features,
        eps=layer.eps,
        momentum=layer.momentum,
        affine=layer.affine,
        device=effective.mean.device,
        dtype=effective.mean.dtype,
    )
    move_affine(layer, batch_norm)
    assert batch_norm.running_mean is not None and batch_norm.running_var is not None
    batch_norm.running_mean.copy_(effective.mean)
    batch_norm.running_var.copy_(effective.variance)
    copy_count(layer, batch_norm)
    return batch_norm.train(layer.training)

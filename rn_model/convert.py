"""Swaps a network's BatchNorm layers for Reciprocal Normalization, and back."""

import warnings
from collections.abc import Callable

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from rn_model.domain_norm import DOMAINS, Domain, DomainNorm
from rn_model.functional import Similarity
from rn_model.moments import Moments
from rn_model.reciprocal_norm import (
    ReciprocalNorm1d,
    ReciprocalNorm2d,
    ReciprocalNorm3d,
    _ReciprocalNorm,
)

_TWINS: dict[type[_BatchNorm], type[_ReciprocalNorm]] = {
    nn.BatchNorm1d: ReciprocalNorm1d,
    nn.BatchNorm2d: ReciprocalNorm2d,
    nn.BatchNorm3d: ReciprocalNorm3d,
}
_BATCH_NORMS = {reciprocal: batch for batch, reciprocal in _TWINS.items()}


def convert_reciprocal_norm(
    model: nn.Module,
    *,
    correlation_scale: float = 1.0,
    similarity: Similarity = "squared",
) -> nn.Module:
    """Replace, in place, every BatchNorm of a model of which Reciprocal Normalization can stand.

    Weights and running statistics are kept; the statistics become those of both domains, and all
    gates start at 1, so that in evaluation mode the converted model computes what it did before. A
    layer used in several places stays shared. Left as they are, with a warning that names them: layers
    without running statistics, SyncBatchNorm, and subclasses with a forward pass of their own.

    Returns:
        The model, or its replacement if the model itself is a BatchNorm.

    Raises:
        ValueError: if a layer is lazy and has not seen an input yet.
    """
    skipped: list[str] = []

    def convert(name: str, module: nn.Module) -> nn.Module | None:
        if not isinstance(module, _BatchNorm):
            return None
        twin = _twin(name, module)
        if twin is None:
            skipped.append(name or type(module).__name__)
            return None
        return _from_batch_norm(
            module, twin, correlation_scale=correlation_scale, similarity=similarity
        )

    model = replace_modules(model, convert)
    if skipped:
        warnings.warn(
            f"not converted, Reciprocal Normalization cannot stand for them: {', '.join(skipped)}",
            stacklevel=2,
        )
    return model


def revert_reciprocal_norm(model: nn.Module, *, branch: Domain = "target") -> nn.Module:
    """Replace, in place, every Reciprocal Normalization by the BatchNorm that computes the same.

    The running statistics of the BatchNorm are the effective moments of ``branch``. Right after
    :func:`convert_reciprocal_norm` this restores the original model exactly.

    Returns:
        The model, or its replacement if the model itself is such a layer.
    """

    def revert(name: str, module: nn.Module) -> nn.Module | None:
        if not isinstance(module, _ReciprocalNorm):
            return None
        return _to_batch_norm(module, branch)

    return replace_modules(model, revert)


def _twin(name: str, module: _BatchNorm) -> type[_ReciprocalNorm] | None:
    if isinstance(module, nn.modules.lazy.LazyModuleMixin):
        raise ValueError(
            f"{name or 'the model'} is a lazy BatchNorm: run one batch through it first"
        )
    if type(module).forward is not _BatchNorm.forward or not module.track_running_stats:
        return None
    for batch, reciprocal in _TWINS.items():
        if isinstance(module, batch):
            return reciprocal
    return None


def replace_modules(
    model: nn.Module, change: Callable[[str, nn.Module], nn.Module | None]
) -> nn.Module:
    """Apply ``change`` to every module, in place; what it returns takes the module's place everywhere.

    Returns:
        The model, or its replacement if the model itself is replaced.
    """
    replaced: dict[nn.Module, nn.Module] = {}
    for name, module in model.named_modules():
        new = change(name, module)
        if new is not None:
            replaced[module] = new
    if model in replaced:
        return replaced[model]
    for parent in model.modules():
        for name, child in list(parent._modules.items()):
            if child in replaced:
                setattr(parent, name, replaced[child])
    return model


def _from_batch_norm(
    batch_norm: _BatchNorm,
    twin: type[_ReciprocalNorm],
    *,
    correlation_scale: float,
    similarity: Similarity,
) -> _ReciprocalNorm:
    mean, variance = batch_norm.running_mean, batch_norm.running_var
    assert mean is not None and variance is not None
    layer = twin(
        batch_norm.num_features,
        eps=batch_norm.eps,
        momentum=batch_norm.momentum,
        affine=batch_norm.affine,
        correlation_scale=correlation_scale,
        similarity=similarity,
        device=mean.device,
        dtype=mean.dtype,
    )
    _move_affine(batch_norm, layer)
    for domain in DOMAINS:
        layer.set_running(domain, Moments(mean, variance), num_images=0)
    _copy_count(batch_norm, layer)
    return layer.train(batch_norm.training)


@torch.no_grad()
def _to_batch_norm(layer: _ReciprocalNorm, branch: Domain) -> _BatchNorm:
    effective = layer.effective_moments(branch)
    batch_norm = _BATCH_NORMS[type(layer)](
        layer.num_features,
        eps=layer.eps,
        momentum=layer.momentum,
        affine=layer.affine,
        device=effective.mean.device,
        dtype=effective.mean.dtype,
    )
    _move_affine(layer, batch_norm)
    assert batch_norm.running_mean is not None and batch_norm.running_var is not None
    batch_norm.running_mean.copy_(effective.mean)
    batch_norm.running_var.copy_(effective.variance)
    _copy_count(layer, batch_norm)
    return batch_norm.train(layer.training)


def _move_affine(old: nn.Module, new: nn.Module) -> None:
    # The parameters themselves move, so that an optimizer made before the conversion still trains them.
    new.register_parameter("weight", old.weight)  # type: ignore[arg-type]
    new.register_parameter("bias", old.bias)  # type: ignore[arg-type]


def _copy_count(old: _BatchNorm | DomainNorm, new: _BatchNorm | DomainNorm) -> None:
    count = old.num_batches_tracked
    assert count is not None and new.num_batches_tracked is not None
    new.num_batches_tracked.copy_(count)

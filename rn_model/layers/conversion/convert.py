"""Replaces a network's BatchNorm layers with a domain-specific normalization."""

import warnings
from typing import Any, get_args

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from rn_model.layers.conversion.config import Normalization, NormalizationName
from rn_model.layers.conversion.refusals import check_convertible
from rn_model.layers.conversion.retired import retire
from rn_model.layers.conversion.surgery import replace_modules
from rn_model.layers.domain_norm import DomainNorm
from rn_model.layers.domains import DOMAINS
from rn_model.layers.moments import Moments
from rn_model.layers.reciprocal_norm import (
    ReciprocalNorm,
    ReciprocalNorm1d,
    ReciprocalNorm2d,
    ReciprocalNorm3d,
)
from rn_model.layers.rivals.adabn import AdaptiveBatchNorm
from rn_model.layers.rivals.autodial import AutoDial
from rn_model.layers.rivals.batch_norm import MergedBatchNorm
from rn_model.layers.rivals.common_center import CommonCenterNorm
from rn_model.layers.rivals.dsbn import DomainSpecificBatchNorm
from rn_model.layers.rivals.transnorm import TransNorm

RIVALS: dict[NormalizationName, type[DomainNorm]] = {
    "bn": MergedBatchNorm,
    "adabn": AdaptiveBatchNorm,
    "autodial": AutoDial,
    "dsbn": DomainSpecificBatchNorm,
    "transnorm": TransNorm,
    "ccn": CommonCenterNorm,
}
RECIPROCAL: dict[type[_BatchNorm], type[ReciprocalNorm]] = {
    nn.BatchNorm1d: ReciprocalNorm1d,
    nn.BatchNorm2d: ReciprocalNorm2d,
    nn.BatchNorm3d: ReciprocalNorm3d,
    nn.SyncBatchNorm: ReciprocalNorm,
}


class NormAct(nn.Module):
    """A normalization followed by dropout and activation, replacing a module that applied all three."""

    def __init__(self, norm: nn.Module, drop: nn.Module, act: nn.Module) -> None:
        super().__init__()
        self.norm = norm
        self.drop = drop
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act(self.drop(self.norm(x)))
        return y


def convert_normalization(
    model: nn.Module, normalization: Normalization | NormalizationName = "rn"
) -> nn.Module:
    """Replace every BatchNorm of a model, in place, with a domain-specific normalization.

    Weights and running statistics are kept. Both domains start with BatchNorm's statistics, gates
    start at 1, and shares make no difference to equal statistics, so that in evaluation mode the
    converted model computes what it did before.
    The exceptions are TransNorm, which doubles the output of BatchNorm, and RN without aggregation.
    A layer that is used in several places stays shared. Forward and backward hooks move to the new layer.
    If the network still calls a replaced BatchNorm, which it kept in a list, a dict or a closure, that
    layer raises a RuntimeError with its name.

    SyncBatchNorm is replaced too: all normalizations merge their moments over the processes of a
    distributed training. A BatchNorm that also applies modules ``drop`` and ``act``, as timm's do, is
    replaced by a :class:`NormAct`.

    A warning lists the layers that cannot be converted: those without running statistics, with frozen
    statistics or with a custom forward pass, and those that an earlier conversion made another
    normalization or the same with other options.

    Args:
        model: model to convert.
        normalization: name of the normalization, or its configuration.

    Returns:
        The model, or its replacement if the model itself is a BatchNorm.

    Raises:
        ValueError: if there is no such normalization; or, naming the layer, if a lazy layer has not seen
            an input yet, a weight is computed (pruned or parametrized), or a layer is scripted or
            prepared for quantization. The model is then unchanged.

    Example:
        >>> network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        >>> type(convert_normalization(network, "rn")[1]).__name__
        'ReciprocalNorm2d'
    """
    config = _named(normalization) if isinstance(normalization, str) else normalization
    skipped: list[str] = []
    retired: dict[str, nn.Module] = {}

    def convert(name: str, module: nn.Module) -> nn.Module | None:
        check_convertible(name, module)
        if isinstance(module, DomainNorm):
            if not _is(module, config):
                skipped.append(f"{name or 'the model'} ({module.normalization} already)")
            return None
        if not _normalizes_by_statistics(module):
            return None
        replacement = _replacement(module, config)
        if replacement is None:
            skipped.append(name or type(module).__name__)
        elif name:
            retired[name] = module
        return replacement

    model = replace_modules(model, convert)
    for name, module in retired.items():
        retire(module, name)
    if skipped:
        warnings.warn(
            f"not converted to {config.kind!r}: {', '.join(skipped)}",
            stacklevel=2,
        )
    return model


def _named(kind: NormalizationName) -> Normalization:
    if kind not in get_args(NormalizationName):
        names = ", ".join(get_args(NormalizationName))
        raise ValueError(f"unknown normalization {kind!r}; choose from {names}")
    return Normalization(kind=kind)


def _is(layer: DomainNorm, config: Normalization) -> bool:
    """Whether a layer is the one that a conversion would make."""
    if config.kind != "rn":
        return type(layer) is RIVALS[config.kind]
    if not isinstance(layer, ReciprocalNorm):
        return False
    # Without aggregation, the range of the gates has no effect.
    names = {"kind"} if config.aggregation else {"kind", "gate_floor"}
    wanted = config.model_dump(exclude=names)
    return all(getattr(layer, name) == value for name, value in wanted.items())


def _normalizes_by_statistics(module: nn.Module) -> bool:
    frozen = isinstance(getattr(module, "running_mean", None), Tensor)
    return isinstance(module, _BatchNorm) or frozen


def _replacement(module: nn.Module, config: Normalization) -> nn.Module | None:
    if not isinstance(module, _BatchNorm) or not module.track_running_stats:
        return None
    if module.running_mean is None or module.running_var is None:
        return None
    if type(module).forward in (_BatchNorm.forward, nn.SyncBatchNorm.forward):
        return _from_batch_norm(module, config)
    drop, act = getattr(module, "drop", None), getattr(module, "act", None)
    if isinstance(drop, nn.Module) and isinstance(act, nn.Module):
        return NormAct(_from_batch_norm(module, config), drop, act).train(module.training)
    return None


def _from_batch_norm(batch_norm: _BatchNorm, config: Normalization) -> DomainNorm:
    mean, variance = batch_norm.running_mean, batch_norm.running_var
    assert mean is not None and variance is not None
    kind, options = _kind_and_options(batch_norm, config)
    layer = kind(
        batch_norm.num_features,
        eps=batch_norm.eps,
        momentum=batch_norm.momentum,
        affine=batch_norm.affine,
        device=mean.device,
        dtype=mean.dtype,
        **options,
    )
    move_affine(batch_norm, layer)
    if isinstance(layer, DomainSpecificBatchNorm):
        layer.follow_source()
    for domain in DOMAINS:
        layer.set_running(domain, Moments(mean, variance), num_images=0)
    copy_count(batch_norm, layer)
    return layer.train(batch_norm.training)


def _kind_and_options(
    batch_norm: _BatchNorm, config: Normalization
) -> tuple[type[DomainNorm], dict[str, Any]]:
    if config.kind != "rn":
        return RIVALS[config.kind], {}
    options = config.model_dump(exclude={"kind"})
    twins = (twin for kind, twin in RECIPROCAL.items() if isinstance(batch_norm, kind))
    return next(twins, ReciprocalNorm), options


def move_affine(old: nn.Module, new: nn.Module) -> None:
    """Give a new layer the same weight and bias objects, so that an existing optimizer trains them."""
    new.register_parameter("weight", old.weight)  # type: ignore[arg-type]
    new.register_parameter("bias", old.bias)  # type: ignore[arg-type]


def copy_count(old: _BatchNorm | DomainNorm, new: _BatchNorm | DomainNorm) -> None:
    """Copy the number of batches that the running statistics have seen."""
    count = old.num_batches_tracked
    if count is not None and new.num_batches_tracked is not None:
        new.num_batches_tracked.copy_(count)

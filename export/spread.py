"""Measures how much images differ from one another at every normalization site."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bundle.manifest import Estimator
from bundle.preprocessing import Pixels
from export.checks.images import evenly_spaced
from export.checks.parity import batches
from export.network.sites import NormSite
from rn_model.layers.shrinkage import ASSUMED, Spread, relations_of

MAX_IMAGES = 512
# Fewer images say little of how much images differ.
MIN_IMAGES = 32


@torch.no_grad()
def measure_spreads(
    network: nn.Module,
    sites: Sequence[NormSite],
    images: Pixels | None,
    relations: bool = False,
) -> list[Spread]:
    """Spread of the images at every site; see :mod:`rn_model.layers.shrinkage`.

    Args:
        network: network in evaluation mode that takes uint8 images.
        sites: its normalization layers.
        images: images of the domain that the base moments describe, ``(N, H, W, C)`` uint8; None, or
            fewer than ``MIN_IMAGES``, for an assumed spread.
        relations: whether to measure how the channels are related, too.
    """
    if images is None or len(images) < MIN_IMAGES:
        return [ASSUMED] * len(sites)
    seen: dict[str, list[tuple[Tensor, Tensor]]] = {site.name: [] for site in sites}

    def keep(site: NormSite, x: Tensor) -> None:
        values = x.double().flatten(2) if x.dim() > 2 else x.double().unsqueeze(2)
        base = site.layer.running("target").mean.double()
        mean = values.mean(dim=2)
        seen[site.name].append((mean, (values - base[:, None]).square().mean(dim=2)))

    handles = [
        site.layer.register_forward_pre_hook(lambda _, given, site=site: keep(site, given[0]))
        for site in sites
    ]
    try:
        for part in batches(evenly_spaced(images, MAX_IMAGES)):
            network(torch.from_numpy(part))
    finally:
        for handle in handles:
            handle.remove()
    return [_spread(site, seen[site.name], relations) for site in sites]


def estimator_of(spreads: Sequence[Spread]) -> Estimator:
    """Name of the estimator that these spreads make."""
    if any(spread.relations is not None for spread in spreads):
        return "related_channels"
    return "assumed_spread" if ASSUMED in spreads else "measured_spread"


def _spread(site: NormSite, seen: Sequence[tuple[Tensor, Tensor]], relations: bool) -> Spread:
    mean, square = (torch.cat(parts) for parts in zip(*seen, strict=True))
    variance = site.layer.running("target").variance.double() + site.layer.eps
    of_mean = (mean.var(dim=0) / variance).mean()
    of_square = (square / variance).var(dim=0).mean()
    related = relations_of(mean / variance.sqrt()) if relations else None
    return Spread(float(of_mean), float(of_square), related)

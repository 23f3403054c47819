"""Compares two bundles: statistics of every site, weights, graphs and manifests."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.loaded import Bundle
from bundle.manifest import Site
from bundle.moments import FlatMoments, Vector
from bundle.runtime import MANY_IMAGES, Refolder
from bundle.text import flatten

# Added to variances, as normalization layers do: a channel that is never active has variance 0.
EPSILON = 1e-5

# Parts of the manifest that are compared separately.
_COMPARED_SEPARATELY = ("files", "sites")


@dataclass(frozen=True)
class SiteDifference:
    """Distance between the same normalization layer of two bundles, over all its channels.

    Attributes:
        name: name of the site.
        channels: number of channels of the site.
        mean_shift, mean_shift_max: distance between the raw target means, in standard deviations of
            the first bundle: mean and maximum.
        log_variance, log_variance_max: absolute natural logarithm of the ratio of the raw target
            variances: mean and maximum.
        source_shift: like ``mean_shift``, for the source means.
        scale_change: root mean square difference of the effective scales (compensation included),
            relative to the root mean square of the first bundle's scale.
        shift_change: root mean square difference of the effective shifts, relative to the root mean
            square of the layer's output under the first bundle's scale.
    """

    name: str
    channels: int
    mean_shift: float
    mean_shift_max: float
    log_variance: float
    log_variance_max: float
    source_shift: float
    scale_change: float
    shift_change: float


@dataclass(frozen=True)
class Difference:
    """The differences between two bundles.

    Attributes:
        equal: whether the bundles are identical, byte for byte.
        architecture: reason why they do not hold the same network; None if they do.
        sites: differences of the sites that both have, in the order of the first bundle.
        weights: relative distance by array name, for unfolded arrays that both have and that differ.
        graphs: names of the graph files that differ.
        facts: values in the manifests that differ, by dotted key; None stands for a missing value.
    """

    equal: bool
    architecture: str | None
    sites: list[SiteDifference]
    weights: dict[str, float]
    graphs: list[str]
    facts: dict[str, tuple[Any, Any]]

    def to_json(self) -> dict[str, Any]:
        """The difference as JSON values."""
        return asdict(self)


def compare(first: Bundle, second: Bundle) -> Difference:
    """Compare two bundles; of different networks, only what they have in common is compared."""
    sites = {site.name: site for site in second.manifest.sites}
    common = [
        (site, sites[site.name])
        for site in first.manifest.sites
        if site.name in sites and sites[site.name].channels == site.channels
    ]
    return Difference(
        equal=first.fingerprint == second.fingerprint,
        architecture=_architecture(first, second, len(common)),
        sites=_sites(first, second, common),
        weights=_weights(first, second),
        graphs=[
            name
            for name, entry in first.manifest.files.items()
            if name.endswith(".onnx")
            and name in second.manifest.files
            and second.manifest.files[name] != entry
        ],
        facts=_facts(first, second),
    )


def _sites(first: Bundle, second: Bundle, common: list[tuple[Site, Site]]) -> list[SiteDifference]:
    affine = [
        Refolder(bundle).scale_and_shift(bundle.target, MANY_IMAGES) for bundle in (first, second)
    ]
    found = []
    for one, two in common:
        a, b = _part(first.target, one), _part(second.target, two)
        source_a, source_b = _part(first.source, one), _part(second.source, two)
        (scale_a, shift_a), (scale_b, shift_b) = (
            (scale[site.slice], shift[site.slice])
            for site, (scale, shift) in zip((one, two), affine, strict=True)
        )
        mean_shift, log_variance = _shift(a, b), np.abs(_log_variance(b) - _log_variance(a))
        output = scale_a * np.sqrt(a.variance + EPSILON)
        found.append(
            SiteDifference(
                name=one.name,
                channels=one.channels,
                mean_shift=float(mean_shift.mean()),
                mean_shift_max=float(mean_shift.max()),
                log_variance=float(log_variance.mean()),
                log_variance_max=float(log_variance.max()),
                source_shift=float(_shift(source_a, source_b).mean()),
                scale_change=_ratio(scale_b - scale_a, scale_a),
                shift_change=_ratio(shift_b - shift_a, output),
            )
        )
    return found


def _part(moments: FlatMoments, site: Site) -> FlatMoments:
    return FlatMoments(moments.mean[site.slice], moments.variance[site.slice])


def _shift(a: FlatMoments, b: FlatMoments) -> Vector:
    distance: Vector = np.abs(b.mean - a.mean) / np.sqrt(a.variance + EPSILON)
    return distance


def _log_variance(moments: FlatMoments) -> Vector:
    logarithm: Vector = np.log(moments.variance + EPSILON)
    return logarithm


def _ratio(difference: NDArray[Any], reference: NDArray[Any]) -> float:
    """Norm of a difference relative to the norm of a reference."""
    length = float(np.linalg.norm(difference.astype(np.float64)))
    return length / max(float(np.linalg.norm(reference.astype(np.float64))), EPSILON)


def _weights(first: Bundle, second: Bundle) -> dict[str, float]:
    return {
        name: _ratio(second.base_arrays[name].astype(np.float64) - array, array)
        for name, array in first.base_arrays.items()
        if name in second.base_arrays
        and second.base_arrays[name].shape == array.shape
        and not np.array_equal(second.base_arrays[name], array)
    }


def _architecture(first: Bundle, second: Bundle, common: int) -> str | None:
    sites = [bundle.manifest.sites for bundle in (first, second)]
    shapes = [{k: v.shape for k, v in bundle.base_arrays.items()} for bundle in (first, second)]
    if [(s.name, s.channels) for s in sites[0]] != [(s.name, s.channels) for s in sites[1]]:
        return (
            f"they have {len(sites[0])} and {len(sites[1])} normalization layers,"
            f" {common} of the same name and width"
        )
    if shapes[0] != shapes[1]:
        differing = [
            key for key in shapes[0] | shapes[1] if shapes[0].get(key) != shapes[1].get(key)
        ]
        return f"their arrays differ in name or shape: {', '.join(sorted(differing)[:4])}"
    return None


def _facts(first: Bundle, second: Bundle) -> dict[str, tuple[Any, Any]]:
    a, b = (
        flatten(
            {k: v for k, v in bundle.manifest.to_values().items() if k not in _COMPARED_SEPARATELY}
        )
        for bundle in (first, second)
    )
    return {key: (a.get(key), b.get(key)) for key in {**a, **b} if a.get(key) != b.get(key)}

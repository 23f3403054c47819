import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load

from bundle import files, load_bundle
from bundle.inspection.difference import EPSILON, compare
from bundle.moments import FlatMoments
from bundle.runtime import MANY_IMAGES, Refolder
from tests.bundle.tampering import refold, write_manifest


def test_the_same_bundle_does_not_differ(small_bundle: Path) -> None:
    bundle = load_bundle(small_bundle)
    found = compare(bundle, bundle)
    assert found.equal and found.architecture is None
    assert not (found.facts or found.weights or found.graphs)
    for site in found.sites:
        assert (site.mean_shift, site.log_variance, site.scale_change, site.shift_change) == (
            0,
        ) * 4


def test_a_shift_is_measured_in_standard_deviations(path: Path, small_bundle: Path) -> None:
    first = load_bundle(small_bundle)
    mean, variance = first.target.mean.copy(), first.target.variance.copy()
    # The second of the four channels of the first site; all five channels of the second site.
    mean[1] += 3 * np.sqrt(variance[1] + EPSILON)
    mean[4:] -= 2 * np.sqrt(variance[4:] + EPSILON)
    variance[4:] = np.e * (variance[4:] + EPSILON) - EPSILON
    refold(path, FlatMoments(mean, variance))
    found = compare(first, load_bundle(path))
    norm, hidden = found.sites
    assert (norm.name, norm.channels, hidden.name, hidden.channels) == ("norm", 4, "hidden_norm", 5)
    assert norm.mean_shift == pytest.approx(3 / 4)
    assert norm.mean_shift_max == pytest.approx(3)
    assert hidden.mean_shift == pytest.approx(2)
    assert hidden.mean_shift_max == pytest.approx(2)
    assert norm.log_variance == norm.source_shift == hidden.source_shift == 0
    assert hidden.log_variance == pytest.approx(1)
    assert hidden.log_variance_max == pytest.approx(1)
    assert not found.equal and not found.weights and not found.graphs and not found.facts


def test_effective_scale_and_shift_are_those_of_the_compensation(
    path: Path, small_bundle: Path, moved_bundle: Path
) -> None:
    first, second = load_bundle(small_bundle), load_bundle(moved_bundle)
    (scale_a, shift_a), (scale_b, shift_b) = (
        Refolder(bundle).scale_and_shift(bundle.target, MANY_IMAGES) for bundle in (first, second)
    )
    site = compare(first, second).sites[1]
    part = first.manifest.sites[1].slice

    def rms(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        return float(np.sqrt((values[part] ** 2).mean()))

    deviation = np.sqrt(first.target.variance + EPSILON)
    assert site.scale_change == pytest.approx(rms(scale_b - scale_a) / rms(scale_a))
    assert site.shift_change == pytest.approx(rms(shift_b - shift_a) / rms(scale_a * deviation))
    assert site.scale_change > 0 and site.shift_change > 0


def test_what_the_manifests_say_is_compared(path: Path, small_bundle: Path) -> None:
    manifest = json.loads((path / files.MANIFEST).read_text())
    manifest["classes"] = ["left", "right", "both"]
    manifest["preprocessing"]["interpolation"] = "box"
    manifest["provenance"] = {"origin": "test", "code": {"version": 2}}
    write_manifest(path, manifest)
    found = compare(load_bundle(small_bundle), load_bundle(path))
    assert not found.equal
    assert found.facts == {
        "classes": (["left", "right", "none"], ["left", "right", "both"]),
        "preprocessing.interpolation": ("bilinear", "box"),
        "provenance.code.version": (None, 2),
    }
    json.dumps(found.to_json(), allow_nan=False)


def test_other_networks_are_compared_as_far_as_they_go(
    small_bundle: Path, wide_bundle: Path
) -> None:
    found = compare(load_bundle(small_bundle), load_bundle(wide_bundle))
    assert found.architecture == (
        "they have 2 and 7 normalization layers, 0 of the same name and width"
    )
    assert found.sites == []
    assert found.facts["name"] == ("small", "wide")
    assert set(found.graphs) == {files.PREDICT, files.OBSERVE, files.COMPENSATE}


def test_renamed_sites_are_reported(small_bundle: Path, path: Path) -> None:
    sites = load_bundle(small_bundle).manifest.sites
    swapped = Path(path)
    manifest = json.loads((swapped / files.MANIFEST).read_text())
    manifest["sites"][0]["name"] = "renamed"
    write_manifest(swapped, manifest)
    found = compare(load_bundle(small_bundle), load_bundle(swapped))
    assert found.architecture is not None and "1 of the same name and width" in found.architecture
    assert [site.name for site in found.sites] == [sites[1].name]


def test_weights_that_differ_are_named(small_bundle: Path, path: Path) -> None:
    first = load_bundle(small_bundle)
    name = "network.conv.weight"
    second = load_bundle(path)
    second.base_arrays[name] = second.base_arrays[name] * np.float32(1.1)
    assert name in load((path / files.BASE).read_bytes())
    assert compare(first, second).weights == {name: pytest.approx(0.1, rel=1e-5)}

"""Bundles changed together with their hashes either run, or are rejected with one line."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load

from bundle import Bundle, BundleError, files, load_bundle
from bundle.reading.refold import TOLERANCE
from bundle.runtime import Refolder, make_session
from tests.bundle.tampering import (
    copy_of,
    edited,
    refusal,
    rehash,
    replace_arrays,
    write_manifest,
)

VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, 1, 2, 7, -1, 10**10, 2**53, 10**30, 0.5, -0.5, 1e308, "", "x", "8", "input"]
) | st.sampled_from([[], {}, [1], ["a", "b"], ["a", "b", "a"], {"a": 1}, "\x00", "../x", "scale"])
FACTORS = st.sampled_from([0.0, -1.0, 1 + 1e-9, 1.001, 1e20, 1e37, 1e200, np.nan, np.inf])


@pytest.fixture(scope="module")
def original(
    small_bundle: Path, wide_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Directory with a copy of each bundle."""
    folder = tmp_path_factory.mktemp("originals")
    for path in (small_bundle, wide_bundle):
        copy_of(path, folder).rename(folder / path.name)
    return folder


def run(bundle: Bundle) -> None:
    """Run a bundle as a service does."""
    shape = bundle.manifest.preprocessing.shape
    image = np.zeros((2, *shape), np.uint8)
    refolded = Refolder(bundle).arrays(bundle.target, 0.0)
    for arrays in (bundle.predict_arrays, refolded):
        (logits,) = make_session(bundle.predict, arrays, threads=1).run(None, {"image": image})
        assert logits.shape == (2, len(bundle.manifest.classes))
    inputs = {
        "image": image,
        "image_weight": np.ones(2, np.float32),
        "prior_weight": np.array(bundle.manifest.target.prior_count, np.float32),
        "mean": bundle.target.mean.astype(np.float32),
        "variance": bundle.target.variance.astype(np.float32),
    }
    make_session(bundle.observe, bundle.observe_arrays, threads=1).run(None, inputs)


def loaded(path: Path) -> Bundle | None:
    """The bundle, or None if it is invalid; any other exception fails the test."""
    try:
        return load_bundle(path)
    except BundleError:
        return None


def runs_or_is_refused(path: Path) -> bool:
    """Whether the bundle is valid; a valid one is run."""
    bundle = loaded(path)
    if bundle is not None:
        run(bundle)
    return bundle is not None


def places(value: Any, *place: Any) -> Iterator[tuple[Any, ...]]:
    """Every position in a JSON value, as a path of keys and indices."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in inner:
        yield (*place, key)
        if isinstance(child, dict | list):
            yield from places(child, *place, key)


@settings(max_examples=150)
@given(data=st.data())
def test_any_manifest_is_run_or_refused(original: Path, data: st.DataObject) -> None:
    path = original / data.draw(st.sampled_from(["small", "wide"]))
    text = (path / files.MANIFEST).read_bytes()
    manifest = json.loads(text)
    place = data.draw(st.sampled_from(list(places(manifest))))
    parent = manifest
    for key in place[:-1]:
        parent = parent[key]
    action = data.draw(st.sampled_from(["replace", "replace", "remove", "exchange"]))
    if action == "replace":
        parent[place[-1]] = data.draw(VALUES)
    elif action == "remove":
        del parent[place[-1]]
    elif isinstance(parent, list):
        parent.reverse()
    else:
        keys = sorted(parent)
        first, second = data.draw(st.sampled_from(keys)), place[-1]
        parent[first], parent[second] = parent[second], parent[first]
    try:
        write_manifest(path, manifest)
        runs_or_is_refused(path)
    finally:
        write_manifest(path, text)


@settings(max_examples=60)
@given(data=st.data())
def test_any_arrays_are_run_or_refused(original: Path, data: st.DataObject) -> None:
    path = original / data.draw(st.sampled_from(["small", "wide"]))
    name = data.draw(st.sampled_from([files.PREDICT_WEIGHTS, files.BASE]))
    content, manifest = (path / name).read_bytes(), (path / files.MANIFEST).read_bytes()
    arrays = load(content)
    key = data.draw(st.sampled_from(sorted(arrays)))
    array = arrays[key].copy()
    index, factor = data.draw(st.integers(0, array.size - 1)), data.draw(FACTORS)
    with np.errstate(over="ignore", invalid="ignore"):
        array.flat[index] = array.flat[index] * array.dtype.type(factor)
    try:
        replace_arrays(path, name, **{key: array})
        run = runs_or_is_refused(path)
        # What is folded is compared with its largest value, and a bias is folded together with a shift.
        share = 2 * TOLERANCE if name == files.PREDICT_WEIGHTS else 0.05
        with np.errstate(invalid="ignore", over="ignore"):
            change = np.abs(array - arrays[key]).max()
        changed = not change <= share * np.abs(arrays[key]).max()
        sites = json.loads(manifest)["sites"]
        folded = {site[kind] for site in sites for kind in ("weight", "bias", "scale", "shift")}
        assert not (run and changed and key in folded)
    finally:
        (path / name).write_bytes(content)
        write_manifest(path, manifest)


@pytest.mark.parametrize("name", [files.PREDICT, files.OBSERVE, files.COMPENSATE])
@settings(max_examples=60)
@given(place=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255))
def test_any_graph_is_loaded_or_refused(original: Path, name: str, place: float, bits: int) -> None:
    path = original / "small"
    content, manifest = (path / name).read_bytes(), (path / files.MANIFEST).read_bytes()
    changed = bytearray(content)
    changed[int(place * len(changed))] ^= bits
    try:
        (path / name).write_bytes(changed)
        fields = json.loads(manifest)
        fields["files"][name]["sha256"] = hashlib.sha256(changed).hexdigest()
        write_manifest(path, fields)
        loaded(path)
    finally:
        (path / name).write_bytes(content)
        write_manifest(path, manifest)


def test_what_was_not_changed_runs(original: Path) -> None:
    assert runs_or_is_refused(original / "small")
    assert runs_or_is_refused(original / "wide")


def test_an_array_that_two_sites_claim(path: Path) -> None:
    sites = json.loads((path / files.MANIFEST).read_text())["sites"]
    sites[1] |= {"weight": sites[0]["weight"], "bias": sites[0]["bias"]}
    assert "the same initializer of a site is named twice" in edited(path, sites=sites)


def test_a_repeated_class(path: Path) -> None:
    assert "the same class is named twice" in edited(path, classes=["one", "two", "one"])


def test_a_compensation_that_cannot_be_run(path: Path, wide_bundle: Path) -> None:
    shutil.copyfile(wide_bundle / files.COMPENSATE, path / files.COMPENSATE)
    rehash(path)
    assert "compensate.onnx: inputs must be mean: float64 (9)" in refusal(path)


def test_numbers_are_not_texts(path: Path) -> None:
    sites = json.loads((path / files.MANIFEST).read_text())["sites"]
    sites[0]["channels"] = "4"
    assert edited(path, sites=sites).startswith("manifest.json: sites.0.channels")


def test_repeated_keys(path: Path) -> None:
    text = (path / files.MANIFEST).read_bytes()
    write_manifest(path, text.replace(b'"name"', b'"name": "other", "name"', 1))
    assert refusal(path) == "manifest.json is not JSON: the key 'name' is repeated"


def test_an_input_profile_of_other_features(path: Path) -> None:
    calibration = {"features": ["mean"], "median": [0.5], "spread": [0.1]}
    assert "must cover mean, deviation" in edited(path, calibration=calibration)

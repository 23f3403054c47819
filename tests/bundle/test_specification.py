"""docs/bundle.md is sufficient for reading a bundle."""

import ast
import base64
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from bundle import files, load_bundle
from bundle.fold import fold_site
from bundle.interface import FEATURES, signatures
from bundle.manifest import (
    SCHEMA_VERSION,
    FileEntry,
    GuardCalibration,
    InputProfile,
    Manifest,
    PairedScore,
    Site,
    TargetStatistics,
    Variant,
)
from bundle.moments import FlatMoments
from bundle.preprocessing import Preprocessing
from bundle.reading.graphs import MAX_OPSET
from bundle.runtime import Refolder, make_session
from bundle.signing import SIGNATURE_BYTES, make_signature
from tests.bundle import stranger
from tests.bundle.stranger import Stranger
from tests.contracts import SMALL, WIDE, random_images

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "bundle.md").read_text()
INFOS = {"small": SMALL, "wide": WIDE}


@pytest.fixture(params=INFOS)
def bundle_path(request: pytest.FixtureRequest, small_bundle: Path, wide_bundle: Path) -> Path:
    """Path of each bundle."""
    return {"small": small_bundle, "wide": wide_bundle}[request.param]


def test_the_stranger_knows_nothing_of_this_project() -> None:
    found = ast.walk(ast.parse(Path(stranger.__file__).read_text()))
    names = {alias.name for node in found if isinstance(node, ast.Import) for alias in node.names}
    found = ast.walk(ast.parse(Path(stranger.__file__).read_text()))
    names |= {str(node.module) for node in found if isinstance(node, ast.ImportFrom)}
    tops = {name.partition(".")[0] for name in names}
    assert not tops & {"bundle", "export", "rn_model", "service", "tests"}


def test_the_stranger_predicts(bundle_path: Path) -> None:
    bundle, read = load_bundle(bundle_path), Stranger(bundle_path)
    assert read.fingerprint == bundle.fingerprint
    image = random_images(INFOS[bundle.manifest.name], 5)
    expected = make_session(bundle.predict, bundle.predict_arrays).run(None, {"image": image})[0]
    np.testing.assert_allclose(read.predict(image), expected, rtol=1e-5, atol=1e-5)


def test_the_stranger_refolds(bundle_path: Path) -> None:
    bundle, read = load_bundle(bundle_path), Stranger(bundle_path)
    for name, array in read.refold().items():
        difference = np.abs(array - bundle.predict_arrays[name]).max()
        assert difference <= 1e-5 * np.abs(bundle.predict_arrays[name]).max()
    generator = np.random.default_rng(3)
    size = bundle.manifest.channels
    moments = FlatMoments(generator.normal(size=size), generator.uniform(0.1, 3, size))
    read.moments, read.count = (moments.mean, moments.variance), 64.0
    arrays, expected = read.refold(), Refolder(bundle).arrays(moments, 64.0)
    assert arrays.keys() == expected.keys()
    for name, array in arrays.items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-6, atol=1e-6)
    image = random_images(INFOS[bundle.manifest.name], 4)
    logits = make_session(bundle.predict, expected).run(None, {"image": image})[0]
    np.testing.assert_allclose(read.predict(image, arrays), logits, rtol=1e-4, atol=1e-4)
    assert np.abs(read.predict(image) - logits).max() > 1e-3


def test_the_stranger_observes_and_adapts(bundle_path: Path) -> None:
    read = Stranger(bundle_path)
    images = random_images(INFOS[read.manifest["name"]], 6, seed=1)
    weights = np.array([1, 1, 1, 1, 0, 0], np.float32)
    found, expected = read.observe(images, weights), read.observe(images[:4], weights[:4])
    for one, two in zip(found[1:3], expected[1:3], strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-5)
    before = read.predict(images)
    read.adapt(images)
    assert read.count == 6
    assert np.abs(read.predict(images, read.refold()) - before).max() > 1e-4


@settings(max_examples=80)
@given(
    side=st.sampled_from(["output", "input"]),
    groups=st.integers(1, 3),
    inside=st.integers(1, 3),
    across=st.integers(1, 3),
    axis=st.sampled_from([0, 1]),
    trailing=st.lists(st.integers(1, 2), max_size=3),
    seed=st.integers(0, 2**16),
)
def test_the_stranger_folds_every_kind_of_site(
    side: str, groups: int, inside: int, across: int, axis: int, trailing: list[int], seed: int
) -> None:
    generator = np.random.default_rng(seed)
    channels = inside * groups
    sides = [groups * across, groups * across]
    sides[axis] = inside
    outputs = channels if side == "output" else sides[1 - axis]
    arrays = {
        "w": generator.normal(size=(*sides, *trailing)).astype(np.float32),
        "b": generator.normal(size=outputs).astype(np.float32),
    }
    fields = {"name": "x", "channels": channels, "offset": 0, "weight": "w", "bias": "b"}
    fields |= {"side": side, "axis": axis, "groups": groups}
    scale, shift = generator.normal(size=(2, channels))
    read = Stranger.__new__(Stranger)
    read.base = arrays
    expected = fold_site(Site.model_validate(fields), arrays, scale, shift)
    for name, array in read.fold(fields, scale, shift).items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-5, atol=1e-6)


def test_a_signature_is_as_the_page_says() -> None:
    key, manifest = Ed25519PrivateKey.from_private_bytes(bytes(32)), b"{}\n"
    scheme, name, signature = make_signature(key, manifest).decode().removesuffix("\n").split(" ")
    public = key.public_key()
    assert (scheme, name) == ("ed25519", hashlib.sha256(public.public_bytes_raw()).hexdigest())
    public.verify(base64.b64decode(signature), manifest)
    assert f"exactly {SIGNATURE_BYTES} bytes" in PAGE


def test_the_page_is_of_this_version() -> None:
    assert PAGE.startswith(f"# The bundle, schema version {SCHEMA_VERSION}\n")
    assert MAX_OPSET >= 20


@pytest.mark.parametrize(
    "model",
    [
        Manifest,
        Site,
        TargetStatistics,
        InputProfile,
        GuardCalibration,
        Variant,
        PairedScore,
        FileEntry,
        Preprocessing,
    ],
)
def test_every_field_is_specified(
    model: type[
        Manifest
        | Site
        | TargetStatistics
        | InputProfile
        | GuardCalibration
        | Variant
        | PairedScore
        | FileEntry
    ],
) -> None:
    for field, info in model.model_fields.items():
        name = info.alias or field
        assert re.search(rf'[`"]{name}["`]', PAGE), name


def test_every_file_and_array_is_specified() -> None:
    names = (*files.REQUIRED, *files.OPTIONAL, files.MANIFEST, files.MANIFEST_SUM, files.SIGNATURE)
    keys = (files.TARGET_MEAN, files.TARGET_VARIANCE, files.SOURCE_MEAN, files.SOURCE_VARIANCE)
    for name in (*names, *keys, *FEATURES):
        assert f"`{name}`" in PAGE, name


def test_every_input_and_output_is_specified(small_bundle: Path) -> None:
    for graph, signature in signatures(load_bundle(small_bundle).manifest).items():
        (row,) = [
            line for line in PAGE.splitlines() if line.startswith(f"| `{graph}`") and "(" in line
        ]
        for name in (*signature.inputs, *signature.outputs):
            assert f"`{name}`" in row

import json
import struct
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest

from bundle import files, load_bundle
from bundle.runtime import make_session
from tests.bundle.tampering import (
    edited,
    refusal,
    rehash,
    replace_arrays,
    replace_file,
    write_manifest,
)
from tests.contracts import SMALL, random_images

CONTENTS = (*files.REQUIRED, files.SAMPLE_IMAGES)
ALL = (*CONTENTS, files.MANIFEST, files.MANIFEST_SUM)


def test_what_was_written_is_read(path: Path) -> None:
    bundle = load_bundle(path)
    assert bundle.manifest.name == SMALL.name
    assert bundle.manifest.classes == SMALL.classes
    assert bundle.manifest.preprocessing == SMALL.preprocessing
    assert bundle.manifest.channels == 9 == len(bundle.target.mean)
    assert bundle.predict == (path / files.PREDICT).read_bytes()
    assert bundle.sample_images is not None and len(bundle.sample_images) == 256
    assert bundle.observe_arrays.keys() == bundle.observe_names
    assert bundle.fingerprint == (path / files.MANIFEST_SUM).read_text().split()[0]


def test_the_session_that_was_tried_is_taken_once(path: Path) -> None:
    bundle = load_bundle(path, make_predictor=partial(make_session, threads=1))
    session = bundle.predictor.take()
    assert session is not None and bundle.predictor.take() is None
    image = random_images(SMALL, 2)
    expected = make_session(bundle.predict, bundle.predict_arrays, threads=1)
    (logits,) = session.run(["logits"], {"image": image})
    np.testing.assert_array_equal(logits, expected.run(["logits"], {"image": image})[0])
    assert load_bundle(path).predictor.take() is None


def test_recomputed_hashes_are_accepted(path: Path) -> None:
    rehash(path)
    load_bundle(path)


def test_a_bundle_without_sample_images_is_whole(path: Path) -> None:
    manifest = json.loads((path / files.MANIFEST).read_text())
    del manifest["files"][files.SAMPLE_IMAGES]
    write_manifest(path, manifest)
    assert load_bundle(path).sample_images is None


def test_no_directory(tmp_path: Path) -> None:
    assert "no such directory" in refusal(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    assert "no such directory" in refusal(tmp_path / "file")


@pytest.mark.parametrize("place", ["first", "middle", "last"])
@pytest.mark.parametrize("name", ALL)
def test_one_changed_byte_is_seen(path: Path, name: str, place: str) -> None:
    content = bytearray((path / name).read_bytes())
    content[{"first": 0, "middle": len(content) // 2, "last": -1}[place]] ^= 0x10
    (path / name).write_bytes(content)
    assert name in refusal(path)


@pytest.mark.parametrize("kept", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", ALL)
def test_a_truncated_file_is_seen(path: Path, name: str, kept: float) -> None:
    content = (path / name).read_bytes()
    (path / name).write_bytes(content[: int(kept * (len(content) - 1))])
    assert name in refusal(path)


@pytest.mark.parametrize("name", ALL)
def test_a_missing_file_is_named(path: Path, name: str) -> None:
    (path / name).unlink()
    assert refusal(path) == f"cannot read {name}: No such file or directory"
    (path / name).mkdir()
    assert refusal(path) == f"cannot read {name}: Is a directory"


@pytest.mark.parametrize("confirmed", [False, True])
@pytest.mark.parametrize("name", [*files.REQUIRED, files.MANIFEST])
def test_files_of_another_bundle_are_seen(
    path: Path, wide_bundle: Path, name: str, confirmed: bool
) -> None:
    (path / name).write_bytes((wide_bundle / name).read_bytes())
    if confirmed:
        rehash(path)
    refusal(path)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (files.PREDICT, files.OBSERVE),
        (files.OBSERVE, files.COMPENSATE),
        (files.PREDICT_WEIGHTS, files.BASE),
    ],
)
def test_exchanged_files_are_seen(path: Path, one: str, two: str) -> None:
    contents = [(path / name).read_bytes() for name in (one, two)]
    replace_file(path, two, contents[0])
    replace_file(path, one, contents[1])
    refusal(path)


@pytest.mark.parametrize(
    ("version", "advice"),
    [
        (5, "update this program to read it"),
        (2**70, "update this program to read it"),
        (1, "export the model again"),
        (0, "export the model again"),
        ("2", "it is not a bundle's manifest"),
        (2.0, "it is not a bundle's manifest"),
        (True, "it is not a bundle's manifest"),
        (None, "it is not a bundle's manifest"),
        ([2], "it is not a bundle's manifest"),
    ],
)
def test_other_schema_versions_are_refused(path: Path, version: object, advice: str) -> None:
    message = edited(path, schema_version=version)
    assert message == (
        f"manifest.json has schema version {version!r}; this program reads 2 to 4: {advice}"
    )


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{", b"[" * 100_000, b"null", b"[1]", b"7"])
def test_a_manifest_that_is_not_a_manifest(path: Path, content: bytes) -> None:
    write_manifest(path, content)
    assert files.MANIFEST in refusal(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "../up"),
        ("name", None),
        ("classes", ["one"]),
        ("sites", []),
        ("opset", -1),
        ("preprocessing", {"mode": "L"}),
        ("calibration", 3),
        ("extra", 1),
    ],
)
def test_fields_out_of_range(path: Path, name: str, value: object) -> None:
    message = edited(path, **{name: value})
    assert message.startswith(f"manifest.json: {name}")


def test_sites_that_do_not_cover_the_flat_vectors(path: Path) -> None:
    sites = json.loads((path / files.MANIFEST).read_text())["sites"]
    sites[1]["offset"] += 1
    assert "begins at 5, not at 4" in edited(path, sites=sites)


@pytest.mark.parametrize("name", ["../x", "/etc/hostname", "predict.onnx/../x", "", "a\nb"])
def test_only_known_files_are_opened(path: Path, name: str) -> None:
    (path.parent / "x").write_bytes(b"")
    entries = json.loads((path / files.MANIFEST).read_text())["files"]
    entries[name] = {"size": 0, "sha256": "0" * 64}
    assert "lists an unknown file" in edited(path, files=entries)


def test_a_file_that_is_not_listed(path: Path) -> None:
    entries = json.loads((path / files.MANIFEST).read_text())["files"]
    del entries[files.OBSERVE]
    assert edited(path, files=entries) == "manifest.json does not list observe.onnx"


@pytest.mark.parametrize("name", [files.PREDICT, files.OBSERVE, files.COMPENSATE])
@pytest.mark.parametrize("content", [b"", b"garbage", b"\x00" * 100, b"{}" * 1000])
def test_garbage_instead_of_a_graph(path: Path, name: str, content: bytes) -> None:
    replace_file(path, name, content)
    assert refusal(path).startswith(name)


def test_other_operator_sets(path: Path) -> None:
    assert "the manifest says 19" in edited(path, opset=19)
    model = onnx.load_model_from_string((path / files.PREDICT).read_bytes())
    model.opset_import.add(domain="com.example", version=1)
    replace_file(path, files.PREDICT, model.SerializeToString())
    assert "com.example" in refusal(path)


def test_a_graph_with_other_outputs(path: Path) -> None:
    model = onnx.load_model_from_string((path / files.PREDICT).read_bytes())
    model.graph.output[0].name = "scores"
    replace_file(path, files.PREDICT, model.SerializeToString())
    message = refusal(path)
    assert message == (
        "predict.onnx: outputs must be logits: float32 (N, 3), not scores: float32 (N, 3)"
    )
    model.graph.output[0].type.tensor_type.elem_type = 999
    replace_file(path, files.PREDICT, model.SerializeToString())
    assert "unknown type 999" in refusal(path)


def test_classes_that_the_graph_does_not_have(path: Path) -> None:
    assert "logits: float32 (N, 2)" in edited(path, classes=["one", "two"])


def safetensors(header: object, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


BROKEN_TENSORS = {
    "empty": b"",
    "garbage": b"garbage" * 100,
    "huge header": struct.pack("<Q", 2**62) + b"{}",
    "header beyond the end": struct.pack("<Q", 10_000) + b"{}",
    "no JSON": struct.pack("<Q", 4) + b"}}}}",
    "huge array": safetensors({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]}}),
    "bfloat16": safetensors({"a": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}, b"ab"),
    "no array": safetensors({}),
}


@pytest.mark.parametrize("kind", BROKEN_TENSORS)
@pytest.mark.parametrize("name", [files.BASE, files.PREDICT_WEIGHTS])
def test_broken_safetensors(path: Path, name: str, kind: str) -> None:
    replace_file(path, name, BROKEN_TENSORS[kind])
    assert name in refusal(path)


BROKEN_MOMENTS = {
    "missing": None,
    "short": np.zeros(8),
    "wrong shape": np.zeros((9, 1)),
    "single precision": np.zeros(9, np.float32),
    "not a number": np.full(9, np.nan),
    "infinite": np.full(9, np.inf),
}


@pytest.mark.parametrize("kind", BROKEN_MOMENTS)
@pytest.mark.parametrize(
    "name",
    [files.TARGET_MEAN, files.TARGET_VARIANCE, files.SOURCE_MEAN, files.SOURCE_VARIANCE],
)
def test_broken_moments(path: Path, name: str, kind: str) -> None:
    replace_arrays(path, files.BASE, **{name: BROKEN_MOMENTS[kind]})
    assert refusal(path).startswith(files.BASE)


def test_a_negative_variance(path: Path) -> None:
    variance = np.ones(9)
    variance[3] = -1e-9
    replace_arrays(path, files.BASE, **{files.TARGET_VARIANCE: variance})
    assert refusal(path) == "base.safetensors: a variance is negative"


@pytest.mark.parametrize("change", ["missing", "dtype", "shape"])
@pytest.mark.parametrize("name", [files.BASE, files.PREDICT_WEIGHTS])
def test_broken_arrays(path: Path, name: str, change: str) -> None:
    bundle = load_bundle(path)
    arrays = bundle.observe_arrays if name == files.BASE else bundle.predict_arrays
    original = (path / name).read_bytes()
    for key, array in arrays.items():
        changed = {
            "missing": None,
            "dtype": array.astype(np.float64),
            "shape": np.concatenate([array, array]),
        }[change]
        replace_arrays(path, name, **{key: changed})
        message = refusal(path)
        assert name in message and repr(key) in message
        replace_file(path, name, original)


def test_a_site_that_does_not_fit_its_layer(path: Path) -> None:
    sites = json.loads((path / files.MANIFEST).read_text())["sites"]
    sites[0]["weight"], sites[1]["weight"] = sites[1]["weight"], sites[0]["weight"]
    assert "must have 4 channels along axis 0" in edited(path, sites=sites)
    sites[0]["weight"] = "elsewhere"
    assert "lacks the array 'elsewhere'" in edited(path, sites=sites)

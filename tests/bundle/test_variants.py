"""Variants of predict.onnx in lower precision must be as the manifest describes them."""

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import numpy_helper

from bundle import files, load_bundle
from bundle.reading.graphs import external_initializers
from tests.bundle.reading.test_trial_run import wrong_padding
from tests.bundle.tampering import edited, refusal, rehash, replace_file, write_manifest

KEPT = {"float32": 0.5, "variant": 0.5}
DESCRIPTION = {
    "file": files.PREDICT_FP16,
    "images": 10,
    "calibration_images": 0,
    "agreement": 1.0,
    "logit_error": 0.0,
    "information": KEPT,
    "nuclear_norm": KEPT,
    "accuracy": None,
}


@pytest.fixture
def varied(path: Path) -> Path:
    """A bundle with a float16 variant."""
    arrays = load_bundle(path).predict_arrays
    model = onnx.load_model_from_string((path / files.PREDICT).read_bytes())
    for tensor in external_initializers(model.graph):
        tensor.CopyFrom(numpy_helper.from_array(arrays[tensor.name], tensor.name))
    (path / files.PREDICT_FP16).write_bytes(model.SerializeToString())
    manifest = json.loads((path / files.MANIFEST).read_text())
    manifest["variants"] = {"float16": DESCRIPTION}
    manifest["files"][files.PREDICT_FP16] = {"size": 0, "sha256": "0" * 64}
    write_manifest(path, manifest)
    rehash(path)
    return path


def test_a_variant_is_read(varied: Path) -> None:
    assert load_bundle(varied).manifest.variants["float16"].agreement == 1


def test_a_changed_variant_is_seen(varied: Path) -> None:
    content = bytearray((varied / files.PREDICT_FP16).read_bytes())
    content[-1] ^= 1
    (varied / files.PREDICT_FP16).write_bytes(content)
    assert refusal(varied) == "predict.fp16.onnx was changed: its SHA-256 differs from the manifest"


def test_a_variant_that_does_not_run_is_refused(varied: Path) -> None:
    model = onnx.load_model_from_string((varied / files.PREDICT_FP16).read_bytes())
    wrong_padding(model)
    replace_file(varied, files.PREDICT_FP16, model.SerializeToString())
    assert refusal(varied).startswith("predict.fp16.onnx cannot be run: ")


@pytest.mark.parametrize(
    ("variants", "reason"),
    [
        ({}, "describes the variants [] but lists the files ['predict.fp16.onnx']"),
        ({"float16": {**DESCRIPTION, "file": files.PREDICT_INT8}}, "describes the variants"),
        ({"int8": DESCRIPTION}, "the file of the variant int8 must be predict.int8.onnx"),
        ({"float16": {**DESCRIPTION, "agreement": 1.5}}, "variants.float16.agreement"),
        ({"float16": {**DESCRIPTION, "file": "../x"}}, "describes the variants"),
        ({"float8": DESCRIPTION}, "variants.float8"),
    ],
)
def test_the_description_of_variants_must_be_true(
    varied: Path, variants: dict[str, Any], reason: str
) -> None:
    assert reason in edited(varied, variants=variants)


def test_a_variant_embeds_its_arrays(varied: Path) -> None:
    replace_file(varied, files.PREDICT_FP16, (varied / files.PREDICT).read_bytes())
    assert "is stored in another file, which is not allowed" in refusal(varied)


def test_a_variant_has_the_inputs_and_outputs_of_predict(varied: Path) -> None:
    replace_file(varied, files.PREDICT_FP16, (varied / files.COMPENSATE).read_bytes())
    assert refusal(varied).startswith("predict.fp16.onnx: inputs must be image: uint8 (N, 8, 6, 1)")

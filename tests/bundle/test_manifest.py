import json
from typing import Any

import pytest
from pydantic import ValidationError

from bundle import Manifest
from bundle.manifest import Site

PREPROCESSING = {"mode": "L", "height": 2, "width": 2, "mean": [0], "std": [1]}
ONE = {"name": "one", "channels": 2, "offset": 0, "weight": "w", "bias": "b"}
SCALED = {**PREPROCESSING, "decoding": "scaled"}
TWO = {"name": "two", "channels": 3, "offset": 2, "scale": "s", "shift": "t"}


def fields(**changes: Any) -> dict[str, Any]:
    return {
        "name": "model",
        "classes": ["a", "b"],
        "preprocessing": PREPROCESSING,
        "opset": 20,
        "normalization": "ReciprocalNorm",
        "sites": [ONE, TWO],
        "target": {"origin": "target", "images": 10},
        "calibration": {"features": ["mean"], "median": [0.5], "spread": [0.1]},
        "parity": {"logit_error": 0.0},
        "provenance": {"data": ["x", None, 1.5]},
        "files": {"predict.onnx": {"size": 3, "sha256": "0" * 64}},
        **changes,
    }


def test_json_round_trip() -> None:
    manifest = Manifest.model_validate(fields())
    assert Manifest.model_validate_json(manifest.to_json()) == manifest
    assert manifest.to_json() == Manifest.model_validate(fields()).to_json()


def test_the_keys_of_the_file_stay() -> None:
    text = Manifest.model_validate(fields()).to_json()
    assert list(json.loads(text)) == [
        "schema_version",
        "name",
        "classes",
        "preprocessing",
        "opset",
        "free_size",
        "normalization",
        "sites",
        "target",
        "calibration",
        "parity",
        "variants",
        "provenance",
        "files",
    ]


def test_an_estimator_needs_a_later_version() -> None:
    guards = {"features": [[0.5] * 11], "scored_images": 8, "drops": [-0.1, 0.2]}
    later = {"estimator": "measured_spread", "guards": guards}
    manifest = Manifest.model_validate(fields(schema_version=4, **later))
    assert Manifest.model_validate_json(manifest.to_json()) == manifest
    with pytest.raises(ValidationError, match=r"measured_spread needs schema version 4"):
        Manifest.model_validate(fields(schema_version=3, **later))


def test_scaled_decoding_needs_a_later_version() -> None:
    plain = Manifest.model_validate(fields(preprocessing={**PREPROCESSING, "decoding": "full"}))
    assert plain.schema_version == 2
    assert plain.to_json() == Manifest.model_validate(fields()).to_json()
    assert "decoding" not in plain.to_values()["preprocessing"]
    scaled = Manifest.model_validate(fields(preprocessing=SCALED, schema_version=3))
    assert scaled.schema_version == 3
    assert scaled.to_values()["preprocessing"]["decoding"] == "scaled"
    assert Manifest.model_validate_json(scaled.to_json()) == scaled
    with pytest.raises(ValidationError, match=r"decoding scaled needs schema version 3"):
        Manifest.model_validate(fields(preprocessing=SCALED))


def test_a_field_has_one_key_in_the_file() -> None:
    renamed = fields()
    renamed["input_profile"] = renamed.pop("calibration")
    with pytest.raises(ValidationError):
        Manifest.model_validate(renamed)


def test_sites_share_the_flat_vectors() -> None:
    manifest = Manifest.model_validate(fields())
    assert manifest.channels == 5
    assert [site.slice for site in manifest.sites] == [slice(0, 2), slice(2, 5)]
    assert [site.folded for site in manifest.sites] == [True, False]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "a/b"},
        {"name": ""},
        {"classes": ["a"]},
        {"sites": []},
        {"sites": [TWO]},
        {"sites": [ONE, ONE]},
        {"target": {"origin": "both", "images": 1}},
        {"target": {"origin": "target", "images": -1}},
        {"target": {"origin": "target", "images": 1, "prior_count": 0}},
        {"parity": {"logit_error": float("nan")}},
        {"provenance": {"accuracy": float("inf")}},
        {"files": {"predict.onnx": {"size": 3, "sha256": "0"}}},
        {"classes": ["a", "a"]},
        {"sites": [ONE, {**TWO, "name": "one"}]},
        {"sites": [ONE, {**TWO, "scale": "w"}]},
        {"calibration": {"features": ["mean"], "median": [0.5], "spread": []}},
        {"calibration": {"features": ["mean"], "median": [0.5], "spread": [-0.1]}},
        {"target": {"origin": "target", "images": 2**53}},
        {"target": {"origin": "target", "images": 1, "prior_count": 1e16}},
        {"schema_version": 5},
        {"preprocessing": SCALED},
        {"schema_version": 1},
        {"unknown": 1},
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Manifest.model_validate(fields(**change))


@pytest.mark.parametrize(
    "change",
    [
        {"weight": None},
        {"bias": None},
        {"weight": None, "bias": None},
        {"scale": "s", "shift": "t"},
        {"weight": None, "bias": None, "scale": "s"},
        {"channels": 0},
        {"offset": -1},
        {"axis": 2},
    ],
)
def test_a_site_is_either_folded_or_explicit(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Site.model_validate({**ONE, **change})

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

import onnx
import onnxruntime as ort
import pytest

from bundle import Preprocessing, files
from export.graphs.metadata import annotate
from tests.networks import SMALL


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        (files.PREDICT, "float32"),
        (files.PREDICT_FP16, "float16"),
        (files.PREDICT_INT8, "int8"),
    ],
)
def test_a_file_describes_its_inputs_and_outputs(
    full_bundle: Path, name: str, precision: str
) -> None:
    found = ort.InferenceSession(full_bundle / name).get_modelmeta().custom_metadata_map
    assert json.loads(found.pop("classes")) == list(SMALL.classes)
    assert Preprocessing.model_validate_json(found.pop("preprocessing")) == SMALL.preprocessing
    weights = (full_bundle / files.PREDICT_WEIGHTS).read_bytes()
    assert found == {
        "name": "full",
        "normalization": "ReciprocalNorm",
        "fingerprint": hashlib.sha256(weights).hexdigest(),
        "schema_version": "4",
        "code_version": version("reciprocal-norm"),
        "precision": precision,
    }


def test_metadata_replaces_earlier_metadata() -> None:
    model = onnx.helper.make_model(onnx.helper.make_graph([], "empty", [], []))
    onnx.helper.set_model_props(model, {"old": "1"})
    annotate(model, {"name": "new"}, "int8")
    assert {entry.key: entry.value for entry in model.metadata_props} == {
        "name": "new",
        "precision": "int8",
    }

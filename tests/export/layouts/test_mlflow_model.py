"""The model is opened with MLflow itself."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from bundle.runtime import make_session
from export.layouts import read_predictor, write_layout
from tests.networks import SMALL, random_images

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    mlflow = pytest.importorskip("mlflow")
    mlflow_pyfunc = pytest.importorskip("mlflow.pyfunc")


@pytest.fixture(scope="module")
def model(full_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mlflow") / "model"
    predictor = read_predictor(full_bundle)
    graph = onnx.load_model_from_string(predictor.content)
    # MLflow would move arrays of one kilobyte or more to a separate file.
    large = onnx.numpy_helper.from_array(np.zeros(1024, np.float32), "large")
    graph.graph.initializer.append(large)
    return write_layout("mlflow", replace(predictor, content=graph.SerializeToString()), path)


def test_mlflow_predicts_what_the_graph_does(model: Path, full_bundle: Path) -> None:
    images = random_images(SMALL, 3)
    found = mlflow_pyfunc.load_model(str(model)).predict({"image": images})["logits"]
    session = make_session(read_predictor(full_bundle).content, {})
    np.testing.assert_array_equal(found, session.run(None, {"image": images})[0])


def test_the_signature_names_types_and_shapes(model: Path) -> None:
    info = mlflow.models.get_model_info(str(model))
    (image,), (logits,) = info.signature.inputs.inputs, info.signature.outputs.inputs
    assert (image.name, image.type, image.shape) == ("image", np.uint8, (-1, 8, 6, 1))
    assert (logits.name, logits.type, logits.shape) == ("logits", np.float32, (-1, 3))
    assert info.metadata["classes"] == list(SMALL.classes)
    assert info.saved_input_example_info is not None


def test_what_is_needed_is_pinned_and_the_weights_are_in_the_graph(model: Path) -> None:
    needed = (model / "requirements.txt").read_text().split()
    assert {line.partition("==")[0] for line in needed} >= {"onnx", "onnxruntime"}
    assert all("==" in line for line in needed)
    assert not list(model.glob("*.data"))

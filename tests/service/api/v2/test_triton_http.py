"""Clients of Triton over HTTP, unchanged, against the service."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundle import Pixels
from tests.service.models.bundles import put_bundle
from tests.service.pictures import noise, png
from tests.service.running import Service, serving, settings_for

http = pytest.importorskip("tritonclient.http")
utils = pytest.importorskip("tritonclient.utils")

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def running(bundle_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of the models ``a`` and ``b``; ``b`` has a version 1."""
    folder = tmp_path_factory.mktemp("triton")
    for name in ("a", "b"):
        put_bundle(bundle_path, folder / "models", name)
    settings = settings_for(None, folder, models=folder / "models", commit_every=4)
    with serving(settings) as service:
        service.post("/models/b/adapt", **body(noise(4)))
        yield service


@pytest.fixture
def client(running: Service) -> Iterator[Any]:
    with http.InferenceServerClient(running.url.removeprefix("http://")) as made:
        yield made


def body(images: Pixels) -> dict[str, Any]:
    from tests.service.pictures import NPY, npy

    return {"content": npy(images), "headers": NPY}


def pixels_input(images: Pixels, *, binary: bool = True) -> Any:
    made = http.InferInput("image", images.shape, "UINT8")
    made.set_data_from_numpy(images, binary_data=binary)
    return made


def expected(running: Service, model: str, images: Pixels) -> list[dict[str, float]]:
    answer = running.post(f"/models/{model}/predict?top_k=all", **body(images))
    return [image["probabilities"] for image in answer["predictions"]]


def test_server_and_models_describe_themselves(client: Any) -> None:
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("b") and client.is_model_ready("b", "1")
    assert not client.is_model_ready("c") and not client.is_model_ready("b", "7")
    server = client.get_server_metadata()
    assert server["name"] == "reciprocal-norm"
    assert set(server["extensions"]) == {
        "binary_tensor_data",
        "classification",
        "model_repository",
        "statistics",
    }
    model = client.get_model_metadata("b")
    assert (model["name"], model["versions"]) == ("b", ["0", "1"])
    assert model["inputs"] == [
        {"name": "image", "datatype": "UINT8", "shape": [-1, 8, 6, 1]},
        {"name": "image_file", "datatype": "BYTES", "shape": [-1, 1]},
    ]
    assert [output["name"] for output in model["outputs"]] == ["probabilities", "label"]
    assert client.get_model_metadata("b", "0")["versions"] == ["0"]


@pytest.mark.parametrize("binary", [True, False])
def test_pixels_are_predicted(binary: bool, client: Any, running: Service) -> None:
    images = noise(3)
    outputs = [
        http.InferRequestedOutput(name, binary_data=binary) for name in ("probabilities", "label")
    ]
    result = client.infer(
        "b", [pixels_input(images, binary=binary)], outputs=outputs, request_id="seven"
    )
    answer = result.get_response()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("b", "1", "seven")
    found = result.as_numpy("probabilities")
    assert (found.dtype, found.shape) == (np.float32, (3, len(expected(running, "b", images)[0])))
    for row, label, one in zip(
        found, result.as_numpy("label"), expected(running, "b", images), strict=True
    ):
        assert row.tolist() == pytest.approx(list(one.values()), abs=1e-6)
        text = label.decode() if isinstance(label, bytes) else label
        assert text == max(one, key=lambda name: one[name])
    first = client.infer("b", [pixels_input(images)], model_version="0")
    assert first.get_response()["model_version"] == "0"
    assert not np.array_equal(first.as_numpy("probabilities"), found)


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_files_are_decoded(shape: tuple[int, ...], client: Any) -> None:
    images = noise(2)
    files = np.array([png(image) for image in images], object).reshape(shape)
    given = http.InferInput("image_file", shape, "BYTES")
    given.set_data_from_numpy(files)
    found = client.infer("a", [given]).as_numpy("probabilities")
    again = client.infer("a", [pixels_input(images)]).as_numpy("probabilities")
    np.testing.assert_allclose(found, again, atol=1e-6)


def test_classification_lists_the_most_probable(client: Any, running: Service) -> None:
    output = http.InferRequestedOutput("probabilities", class_count=2)
    result = client.infer("a", [pixels_input(noise(2))], outputs=[output])
    found = result.as_numpy("probabilities")
    assert found.shape == (2, 2)
    for row, one in zip(found, expected(running, "a", noise(2)), strict=True):
        ranked = sorted(one, key=lambda name: -one[name])[:2]
        values = [element.decode().split(":") for element in row]
        assert [label for _, _, label in values] == ranked
        assert [int(index) for _, index, _ in values] == [list(one).index(n) for n in ranked]
        assert [float(v) for v, _, _ in values] == pytest.approx([one[n] for n in ranked], abs=1e-6)


def test_models_are_listed_loaded_and_unloaded(client: Any, running: Service) -> None:
    assert [(m["name"], m["state"]) for m in client.get_model_repository_index()] == [
        ("a", "READY"),
        ("b", "READY"),
    ]
    client.unload_model("b")
    assert not client.is_model_ready("b")
    index = {model["name"]: model["state"] for model in client.get_model_repository_index()}
    assert index == {"a": "READY", "b": "UNAVAILABLE"}
    ready = running.http.post("/v2/repository/index", json={"ready": True}).json()
    assert [model["name"] for model in ready] == ["a"]
    client.load_model("b")
    assert client.is_model_ready("b")
    for model in ("c", "../models"):
        with pytest.raises(utils.InferenceServerException):
            client.load_model(model)
    with pytest.raises(utils.InferenceServerException, match="is the default one"):
        client.unload_model("a")


def test_statistics_count_what_was_answered(client: Any) -> None:
    def read() -> dict[str, Any]:
        (found,) = client.get_inference_statistics("a", "0")["model_stats"]
        return dict(found)

    before = read()
    client.infer("a", [pixels_input(noise(3))])
    with pytest.raises(utils.InferenceServerException):
        client.infer("a", [pixels_input(noise(3)[:, :4])])
    after = read()
    assert after["inference_count"] - before["inference_count"] == 3
    assert after["execution_count"] > before["execution_count"]
    for name, requests in {"success": 1, "queue": 1, "compute_infer": 1, "fail": 1}.items():
        counts = [stats["inference_stats"][name] for stats in (before, after)]
        assert counts[1]["count"] - counts[0]["count"] == requests
        assert counts[1]["ns"] >= counts[0]["ns"]
    assert {stats["name"] for stats in client.get_inference_statistics()["model_stats"]} == {
        "a",
        "b",
    }


IMAGE = {"name": "image", "datatype": "UINT8", "shape": [1, 8, 6, 1], "data": [0] * 48}


@pytest.mark.parametrize(
    ("path", "content", "status", "text"),
    [
        ("/v2/models/c/infer", {"inputs": [IMAGE]}, 404, "no model 'c' is loaded"),
        ("/v2/models/a/versions/9/infer", {"inputs": [IMAGE]}, 404, "has no version 9"),
        ("/v2/models/a/versions/x/infer", {"inputs": [IMAGE]}, 404, "there is no version 'x'"),
        ("/v2/models/a/infer", {}, 422, "expected"),
        ("/v2/models/a/infer", {"inputs": []}, 400, "send one input"),
        ("/v2/models/a/infer", {"inputs": [{**IMAGE, "name": "x"}]}, 422, "there is no input 'x'"),
        ("/v2/models/a/infer", {"inputs": [{**IMAGE, "data": [0]}]}, 422, "takes 48 values, got 1"),
        ("/v2/models/a/infer", {"inputs": [{**IMAGE, "data": [256] * 48}]}, 422, "range of UINT8"),
        ("/v2/models/a/infer", {"inputs": [{**IMAGE, "data": [0.5] * 48}]}, 422, "whole numbers"),
        ("/v2/models/a/infer", {"inputs": [{**IMAGE, "datatype": "FP32"}]}, 422, "not offered"),
        ("/v2/models/a/infer", {"inputs": [{**IMAGE, "shape": [-1]}]}, 422, "list of dimensions"),
        (
            "/v2/models/a/infer",
            {"inputs": [IMAGE], "outputs": [{"name": "logits"}]},
            422,
            "there is no output 'logits'",
        ),
        (
            "/v2/models/a/infer",
            {"inputs": [IMAGE], "parameters": {"target": "other"}},
            404,
            "there is no target 'other'",
        ),
    ],
)
def test_errors_are_one_line(
    path: str, content: Any, status: int, text: str, running: Service
) -> None:
    answer = running.http.post(path, json=content)
    assert answer.status_code == status, answer.text
    found = answer.json()
    assert list(found) == ["error"]
    assert text in found["error"] and "\n" not in found["error"]


@pytest.mark.parametrize("length", ["1", "9999999", "-1", "x"])
def test_a_wrong_length_of_the_json_is_an_error(length: str, running: Service) -> None:
    content = json.dumps({"inputs": [IMAGE]}).encode()
    headers = {"Inference-Header-Content-Length": length}
    answer = running.http.post("/v2/models/a/infer", content=content, headers=headers)
    assert answer.status_code in (400, 422) and list(answer.json()) == ["error"]

"""Clients of Triton over gRPC, unchanged, against the service."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundle import Pixels
from tests.service.models.bundles import put_bundle
from tests.service.pictures import NPY, noise, npy, png
from tests.service.running import Service, serving, settings_for

triton = pytest.importorskip("tritonclient.grpc")
utils = pytest.importorskip("tritonclient.utils")

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def running(bundle_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of the models ``a`` and ``b``; ``b`` has a version 1."""
    folder = tmp_path_factory.mktemp("triton")
    for name in ("a", "b"):
        put_bundle(bundle_path, folder / "models", name)
    models = folder / "models"
    settings = settings_for(
        None, folder, models=models, commit_every=4, grpc_port=0, max_body_bytes=100_000
    )
    with serving(settings) as service:
        service.post("/models/b/adapt", content=npy(noise(4)), headers=NPY)
        yield service


@pytest.fixture
def client(running: Service) -> Iterator[Any]:
    with triton.InferenceServerClient(f"127.0.0.1:{running.resources.grpc_port}") as made:
        yield made


def pixels_input(images: Pixels) -> Any:
    made = triton.InferInput("image", images.shape, "UINT8")
    made.set_data_from_numpy(images)
    return made


def test_server_and_models_describe_themselves(client: Any) -> None:
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("b") and client.is_model_ready("b", "1")
    server = client.get_server_metadata()
    assert set(server.extensions) == {"classification", "model_repository", "statistics"}
    model = client.get_model_metadata("b")
    assert (model.name, list(model.versions)) == ("b", ["0", "1"])
    assert [(i.name, i.datatype, list(i.shape)) for i in model.inputs] == [
        ("image", "UINT8", [-1, 8, 6, 1]),
        ("image_file", "BYTES", [-1, 1]),
    ]


def test_predictions_are_those_of_http(client: Any, running: Service) -> None:
    images = noise(3)
    answer = running.post("/models/b/predict?top_k=all", content=npy(images), headers=NPY)
    result = client.infer("b", [pixels_input(images)], request_id="seven")
    message = result.get_response()
    assert (message.model_name, message.model_version, message.id) == ("b", "1", "seven")
    for row, label, one in zip(
        result.as_numpy("probabilities"),
        result.as_numpy("label"),
        answer["predictions"],
        strict=True,
    ):
        assert row.tolist() == pytest.approx(list(one["probabilities"].values()), abs=1e-6)
        assert label.decode() == one["label"]
    assert (
        client.infer("b", [pixels_input(images)], model_version="0").get_response().model_version
        == "0"
    )


def test_files_and_classifications(client: Any) -> None:
    images = noise(2)
    given = triton.InferInput("image_file", (2, 1), "BYTES")
    given.set_data_from_numpy(np.array([[png(image)] for image in images], object))
    output = triton.InferRequestedOutput("probabilities", class_count=2)
    found = client.infer("a", [given], outputs=[output]).as_numpy("probabilities")
    again = client.infer("a", [pixels_input(images)], outputs=[output]).as_numpy("probabilities")
    assert found.shape == (2, 2)
    assert found.tolist() == again.tolist()
    assert all(len(element.decode().split(":")) == 3 for element in found.ravel())


def test_models_are_loaded_and_unloaded(client: Any) -> None:
    client.unload_model("b")
    index = {model.name: model.state for model in client.get_model_repository_index().models}
    assert index == {"a": "READY", "b": "UNAVAILABLE"}
    client.load_model("b")
    assert client.is_model_ready("b")


def test_statistics(client: Any) -> None:
    def read() -> Any:
        (found,) = client.get_inference_statistics("a", "0").model_stats
        return found

    before = read()
    client.infer("a", [pixels_input(noise(3))])
    after = read()
    assert after.inference_count - before.inference_count == 3
    assert after.inference_stats.success.count - before.inference_stats.success.count == 1


@pytest.mark.parametrize(
    ("model", "images", "code", "text"),
    [
        ("c", noise(1), "NOT_FOUND", "no model 'c' is loaded"),
        ("a", noise(1)[:, :4], "INVALID_ARGUMENT", "expected [-1, 8, 6, 1]"),
        ("a", np.zeros((4000, 8, 6, 1), np.uint8), "RESOURCE_EXHAUSTED", "larger than max"),
    ],
)
def test_errors_have_a_code_and_one_line(
    model: str, images: Pixels, code: str, text: str, client: Any
) -> None:
    with pytest.raises(utils.InferenceServerException) as caught:
        client.infer(model, [pixels_input(images)])
    assert caught.value.status() == f"StatusCode.{code}"
    assert text in caught.value.message()


def test_a_deadline_of_the_client_is_kept(client: Any, running: Service) -> None:
    with pytest.raises(utils.InferenceServerException) as caught:
        client.infer("a", [pixels_input(noise(1))], client_timeout=1e-6)
    assert caught.value.status() == "StatusCode.DEADLINE_EXCEEDED"
    assert client.infer("a", [pixels_input(noise(1))], client_timeout=100).get_response().id == ""


def test_calls_need_the_keys_that_requests_need(bundle_path: Path, tmp_path: Path) -> None:
    keys = {role: f"rn_{role}_{'x' * 40}" for role in ("predict", "operate")}
    settings = settings_for(
        bundle_path, tmp_path, grpc_port=0, predict_key=keys["predict"], operate_key=keys["operate"]
    )
    with (
        serving(settings) as service,
        triton.InferenceServerClient(f"127.0.0.1:{service.resources.grpc_port}") as client,
    ):

        def code(call: Any, key: str | None) -> str:
            headers = None if key is None else {"authorization": f"Bearer {key}"}
            try:
                call(headers)
            except utils.InferenceServerException as error:
                return str(error.status()).removeprefix("StatusCode.")
            return "OK"

        def infer(headers: Any) -> None:
            client.infer("small", [pixels_input(noise(1))], headers=headers)

        def load(headers: Any) -> None:
            client.load_model("small", headers=headers)

        assert client.is_server_live()
        found = {
            (call.__name__, name): code(call, key)
            for call in (infer, load)
            for name, key in [*keys.items(), ("none", None), ("wrong", "rn_wrong")]
        }
        assert found == {
            ("infer", "predict"): "OK",
            ("infer", "operate"): "PERMISSION_DENIED",
            ("infer", "none"): "UNAUTHENTICATED",
            ("infer", "wrong"): "UNAUTHENTICATED",
            ("load", "predict"): "PERMISSION_DENIED",
            ("load", "operate"): "OK",
            ("load", "none"): "UNAUTHENTICATED",
            ("load", "wrong"): "UNAUTHENTICATED",
        }

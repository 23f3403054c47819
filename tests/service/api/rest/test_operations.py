from pathlib import Path
from typing import Any

import numpy as np

from bundle import load_bundle
from service.api.problems import Problem
from tests.service.pictures import flat, noise
from tests.service.running import Service, serving, settings_for


def test_health(service: Service, bundle_path: Path) -> None:
    assert service.http.get("/health/live").json() == {"status": "live"}
    assert service.http.get("/health/ready").json() == {
        "status": "ready",
        "model": "small",
        "models": ["small"],
        "bundle": load_bundle(bundle_path).fingerprint,
        "serving": 0,
        "provider": "CPUExecutionProvider",
        "engine": "1 worker, 1 thread a run, up to 64 images a run: set: threads and batches",
    }


def test_readiness_ends_when_the_service_drains(service: Service) -> None:
    service.resources.draining = True
    answer = service.http.get("/health/ready")
    assert (answer.status_code, answer.json()["detail"]) == (503, "the service is shutting down")
    assert service.http.get("/health/live").status_code == 200


def test_counts_move(bundle_path: Path, tmp_path: Path) -> None:
    with serving(settings_for(bundle_path, tmp_path, commit_every=6)) as service:
        assert service.metrics()["rn_serving_version", "small", "default"] == 0
        service.predict(noise(3))
        service.adapt(np.concatenate([noise(5), flat(1), noise(1)]))
        service.adapt(flat(3, 2))
        service.adapt(noise(1, 9))
        service.adapt(noise(2, 10))
        service.post("/freeze")
        service.post("/predict", 415, content=b"x")
        service.adapt(noise(1, 11), status=409)
        service.http.get("/nowhere")
        values = service.metrics()
    expected = {
        ("rn_predict_batch_images_sum",): 3,
        ("rn_predict_stage_seconds_count", "read"): 2,
        ("rn_predict_stage_seconds_count", "queue"): 1,
        ("rn_predict_stage_seconds_count", "preprocess"): 1,
        ("rn_predict_stage_seconds_count", "infer"): 1,
        ("rn_predict_stage_seconds_count", "postprocess"): 1,
        ("rn_queue_images",): 0,
        ("rn_adapt_images_total", "small", "default", "admitted"): 8,
        ("rn_adapt_images_total", "small", "default", "refused"): 5,
        ("rn_adapt_alarms_total", "small", "default"): 1,
        ("rn_versions_total", "small", "published", "default"): 1,
        ("rn_commit_seconds_count",): 1,
        ("rn_serving_version", "small", "default"): 1,
        ("rn_pending_images", "small", "default"): 2,
        ("rn_frozen", "small", "default"): 1,
        ("rn_refused_requests_total", "415"): 1,
        ("rn_refused_requests_total", "409"): 1,
        ("rn_refused_requests_total", "404"): 1,
        ("rn_problems_total", "unsupported-content"): 1,
        ("rn_problems_total", "adaptation-frozen"): 1,
        ("rn_problems_total", "about:blank"): 1,
        ("rn_http_request_seconds_count", "POST", "/predict", "2xx"): 1,
        ("rn_http_request_seconds_count", "POST", "/predict", "4xx"): 1,
        ("rn_http_request_seconds_count", "GET", "other", "4xx"): 1,
        ("rn_http_requests_in_progress",): 1,
        ("rn_connections",): 1,
        ("rn_body_bytes",): 0,
    }
    assert {key: values.get(key) for key in expected} == expected
    labels = {key: value for key, value in values.items() if key[0] == "rn_predictions_total"}
    assert sum(labels.values()) == 3
    assert any(key[0] == "rn_service_info" and "CPUExecutionProvider" in key for key in values)


def test_the_description_has_examples(service: Service) -> None:
    schema = service.http.get("/openapi.json").json()
    for path in ("/predict", "/adapt"):
        content = schema["paths"][path]["post"]["requestBody"]["content"]
        assert {"image/png", "multipart/form-data", "application/x-npy"} < set(content)
        example = content["application/json"]["example"]
        assert service.http.post(path, json=example).status_code == 200
    described = schema["components"]["schemas"]
    for name in ("ImagePrediction", "PredictResult", "AdaptResult", "VersionInfo"):
        fields: dict[str, Any] = described[name]["properties"]
        assert any("examples" in field for field in fields.values()), name


def test_errors_are_described_as_problems(service: Service) -> None:
    schema = service.http.get("/openapi.json").json()
    for path, operations in schema["paths"].items():
        if path.startswith("/v2"):
            # The protocol has a form of its own.
            continue
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if status >= "400":
                    content = {"application/problem+json": {"schema": Problem.model_json_schema()}}
                    assert response["content"] == content, path

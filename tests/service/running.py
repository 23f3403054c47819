"""The real application on a real socket, in this process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from bundle import Pixels
from service.app import create_app
from service.lifespan import Resources
from service.server.listening import listen
from service.server.server import make_server
from service.settings import Settings
from tests.service.pictures import NPY, npy


@dataclass(frozen=True)
class Service:
    """A running service, an HTTP client of it, and the resources that its routes share."""

    app: FastAPI

    http: httpx.Client
    resources: Resources
    url: str

    def adapt(self, images: Pixels, key: str | None = None, status: int = 200) -> dict[str, Any]:
        """Post images, check the status, return the answer."""
        headers = NPY if key is None else {**NPY, "Idempotency-Key": key}
        return self._answer(self.http.post("/adapt", content=npy(images), headers=headers), status)

    def predict(
        self, images: Pixels, version: int | None = None, status: int = 200
    ) -> dict[str, Any]:
        """Predict images, check the status, return the answer."""
        params = {} if version is None else {"version": version}
        answer = self.http.post("/predict", content=npy(images), headers=NPY, params=params)
        return self._answer(answer, status)

    def versions(self) -> dict[str, Any]:
        """What ``GET /versions`` answers."""
        return self._answer(self.http.get("/versions"), 200)

    def metrics(self) -> dict[tuple[str, ...], float]:
        """Values of all metrics, by name and label values."""
        answer = self.http.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=")
        families = text_string_to_metric_families(answer.text)
        samples = (sample for family in families for sample in family.samples)
        return {(sample.name, *sample.labels.values()): sample.value for sample in samples}

    def post(self, path: str, status: int = 200, **content: Any) -> dict[str, Any]:
        """Post anything, check the status, return the answer."""
        return self._answer(self.http.post(path, **content), status)

    def _answer(self, response: httpx.Response, status: int) -> dict[str, Any]:
        assert response.status_code == status, response.text
        content: dict[str, Any] = response.json()
        return content


def settings_for(bundle: Path | None, folder: Path, **changes: Any) -> Settings:
    """Settings whose publication guard lets everything pass, unless ``changes`` say otherwise."""
    given = {
        "bundle": bundle,
        "ledger": f"sqlite:///{folder}/ledger.sqlite",
        "workers": 1,
        "threads": 1,
        "max_batch": 64,
        "timeout_seconds": 300.0,
        "drain_seconds": 60,
        "adaptation": "auto",
        "publication_margin": 1.0,
        "publication_recognizable": 0.0,
        "publication_max_shift": 100.0,
        # Images of one request are enough for a change, unless a test says otherwise.
        "change_requests": 1,
    }
    return Settings(**{**given, **changes})


@contextmanager
def serving(settings: Settings) -> Iterator[Service]:
    """Run the service; a request that comes before it is ready waits in the socket's backlog."""
    app = create_app(settings)
    listener = listen("127.0.0.1", 0)
    server = make_server(app)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        with httpx.Client(base_url=url, timeout=300) as http:
            assert http.get("/health/ready").status_code == 200
            yield Service(app, http, app.state.resources, url)
    finally:
        server.stop()
        thread.join()

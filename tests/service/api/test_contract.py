"""Whatever the description of the API allows, and much that it does not, is answered as described."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tests.service.running import Service, serving, settings_for

IMAGES = ("/predict", "/adapt", "/adapt/moments")
FORM = "multipart/form-data"
MOVES = ("/labels/serving", "/labels/shadow")
MODEL_CHANGES = ("/models/{model}/load", "/models/{model}/unload")
# Whether these succeed depends on the image, or on which versions there are.
DEPENDS = (
    *IMAGES,
    "/rollback",
    "/versions/{number}",
    "/versions/{number}/promote",
    "/versions/{number}/evidence",
    "/batches/{batch}",
    "/domains/{number}",
    "/targets",
    "/targets/{target}",
    *MODEL_CHANGES,
    *MOVES,
)
OPERATIONS = {
    ("POST", "/predict"),
    ("POST", "/adapt"),
    ("POST", "/adapt/moments"),
    ("GET", "/versions"),
    ("GET", "/events"),
    ("GET", "/examples"),
    ("GET", "/stream"),
    ("GET", "/versions/{number}"),
    ("POST", "/versions/{number}/promote"),
    ("POST", "/rollback"),
    ("GET", "/batches/{batch}"),
    ("GET", "/targets"),
    ("POST", "/targets"),
    ("DELETE", "/targets/{target}"),
    ("GET", "/domains"),
    ("PUT", "/domains/{number}"),
    ("DELETE", "/domains/{number}"),
    ("GET", "/drift"),
    ("PUT", "/mode"),
    ("GET", "/versions/{number}/evidence"),
    ("POST", "/versions/{number}/evidence"),
    ("POST", "/reset"),
    ("POST", "/freeze"),
    ("POST", "/unfreeze"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/metrics"),
    ("GET", "/v2"),
    ("GET", "/v2/health/live"),
    ("GET", "/v2/health/ready"),
    ("GET", "/v2/models/stats"),
    ("GET", "/v2/models/{model}"),
    ("GET", "/v2/models/{model}/ready"),
    ("GET", "/v2/models/{model}/stats"),
    ("POST", "/v2/models/{model}/infer"),
    ("GET", "/v2/models/{model}/versions/{version}"),
    ("GET", "/v2/models/{model}/versions/{version}/ready"),
    ("GET", "/v2/models/{model}/versions/{version}/stats"),
    ("POST", "/v2/models/{model}/versions/{version}/infer"),
    ("POST", "/v2/repository/index"),
    ("POST", "/v2/repository/models/{model}/load"),
    ("POST", "/v2/repository/models/{model}/unload"),
    ("GET", "/labels"),
    ("PUT", "/labels/serving"),
    ("PUT", "/labels/shadow"),
    ("DELETE", "/labels/shadow"),
    ("GET", "/models"),
    ("POST", "/models/{model}/load"),
    ("POST", "/models/{model}/unload"),
}
# It never ends; see tests/service/api/page/test_stream.py.
ENDLESS = {("GET", "/stream")}
SETTINGS = settings(max_examples=30, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def running(bundle_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("api")
    with serving(settings_for(bundle_path, folder, commit_every=4)) as service:
        yield service


@pytest.fixture(scope="module")
def description(running: Service) -> BaseSchema:
    return schemathesis.openapi.from_url(f"{running.url}/openapi.json")


def test_everything_is_described(description: BaseSchema) -> None:
    found = set()
    for result in description.get_all_operations():
        assert isinstance(result, Ok)
        found.add((result.ok().method.upper(), result.ok().path))
    assert found == OPERATIONS


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize(("method", "path"), sorted(OPERATIONS - ENDLESS))
def test_as_described(
    method: str, path: str, mode: GenerationMode, description: BaseSchema
) -> None:
    statuses: set[int] = set()
    # Bytes that fit a schema need not be an image, nor moments.
    excluded: list[Any] = [positive_data_acceptance] if path in IMAGES else []

    @given(description[path][method].as_strategy(mode))
    @SETTINGS
    def run(case: Case[Any]) -> None:
        # In a form, a number is text like any other: whether it is an image is found out later.
        form = [negative_data_rejection] if case.media_type == FORM and path in IMAGES else []
        answer = case.call_and_validate(excluded_checks=excluded + form)
        statuses.add(answer.status_code)

    try:
        run()
    except Unsatisfiable:
        # What takes nothing cannot be called with something wrong.
        assert mode.is_negative
        return
    assert statuses
    if mode.is_positive and path not in DEPENDS and "{model}" not in path:
        assert 200 in statuses

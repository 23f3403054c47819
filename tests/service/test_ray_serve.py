"""Two real replicas of Ray Serve on one ledger; needs the extra ray, which is not part of dev."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.service.pictures import NPY, noise, npy
from tests.service.running import settings_for

ray = pytest.importorskip("ray", reason="pip install '.[ray]' to run it")
PATIENCE = 60.0


@pytest.fixture
def replicas(bundle_path: Path, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of two replicas."""
    from ray import serve

    from service.ray_serve import bind

    settings = settings_for(bundle_path, tmp_path)
    environment = {
        "RN_BUNDLE": str(bundle_path),
        "RN_LEDGER": settings.ledger,
        "RN_ADAPTATION": "auto",
        "RN_COMMIT_EVERY": "8",
        "RN_PUBLICATION_RECOGNIZABLE": "0",
        "RN_PUBLICATION_MAX_SHIFT": "100",
        "PYTHONPATH": str(Path.cwd()),
    }
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": environment},
    )
    serve.start(http_options={"port": 8126})
    serve.run(bind(2), route_prefix="/")
    with httpx.Client(base_url="http://127.0.0.1:8126", timeout=30) as client:
        yield client
    serve.shutdown()
    ray.shutdown()


def starts(client: httpx.Client) -> str:
    """What tells the processes of the replicas apart."""
    found = re.search(
        r"^process_start_time_seconds (.*)$", client.get("/metrics").text, re.MULTILINE
    )
    assert found is not None
    return found[1]


@pytest.mark.filterwarnings("ignore")
def test_what_one_replica_adapts_the_other_serves(replicas: httpx.Client) -> None:
    deadline = time.monotonic() + PATIENCE
    seen: set[str] = set()
    while len(seen) < 2:
        seen.add(starts(replicas))
        assert time.monotonic() < deadline, "two replicas should answer"
    answer = replicas.post("/adapt", content=npy(noise(8)), headers=NPY)
    assert answer.status_code == 200 and answer.json()["serving"] == 1, answer.text
    row = 0
    # Each answer comes from one of two; so many in a row do not all come from the same one.
    while row < 30:
        version = replicas.post("/predict", content=npy(noise(1)), headers=NPY).json()["version"]
        row = row + 1 if version == 1 else 0
        assert time.monotonic() < deadline, "both replicas should serve version 1"

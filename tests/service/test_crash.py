"""What was acknowledged is never lost, and never counted twice, even if the process is killed."""

import random
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from tests.service.online_targets import target_of
from tests.service.pictures import NPY, noise, npy
from tests.service.processes import LONG, Process, client, started

NEVER = 10**6


def adapt(http: httpx.Client, seed: int, count: int = 4) -> dict[str, Any]:
    """Post a batch of its own under a key of its own."""
    headers = {**NPY, "Idempotency-Key": f"batch {seed}"}
    answer = http.post("/adapt", content=npy(noise(count, seed)), headers=headers)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


class Load:
    """A client that posts one batch after another until the service is gone.

    Attributes:
        acknowledged: batches that were answered, of this and earlier processes.
    """

    def __init__(self, process: Process, acknowledged: int, aim: int) -> None:
        self.acknowledged = acknowledged
        self._process, self._aim = process, aim
        self._reached = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def wait_until_aim(self) -> None:
        assert self._reached.wait(LONG)

    def join(self) -> None:
        self._thread.join(LONG)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        with client(self._process) as http, suppress(httpx.TransportError):
            while True:
                adapt(http, self.acknowledged)
                self.acknowledged += 1
                if self.acknowledged == self._aim:
                    self._reached.set()


def test_killed_right_after_an_acknowledgement(bundle_path: Path, tmp_path: Path) -> None:
    settings = {"RN_COMMIT_EVERY": "8", "RN_PUBLICATION_MARGIN": "1"}
    with started(bundle_path, tmp_path, **settings) as process, client(process) as http:
        made = adapt(http, 1, 8)
        assert made["committed"]["status"] == "published"
        says = http.post("/predict", content=npy(noise(3)), headers=NPY).json()
        acknowledged = adapt(http, 2, 5)
        process.kill()
    with started(bundle_path, tmp_path, **settings) as process, client(process) as http:
        info = http.get("/versions").json()
        assert (info["pending"], info["serving"], len(info["versions"])) == (5, 1, 2)
        assert http.post("/predict", content=npy(noise(3)), headers=NPY).json() == says
        assert adapt(http, 1, 8) == made
        assert adapt(http, 2, 5) == acknowledged
        assert http.get("/versions").json() == info
        assert adapt(http, 3, 3)["committed"]["number"] == 2


def test_killed_again_and_again_under_load(bundle_path: Path, tmp_path: Path) -> None:
    """One client that repeats a batch, under the same key, until it is acknowledged."""
    moments, acknowledged, never = random.Random(5), 0, {"RN_COMMIT_EVERY": str(NEVER)}
    for _ in range(3):
        with started(bundle_path, tmp_path, **never) as process:
            load = Load(process, acknowledged, acknowledged + moments.randrange(1, 12))
            load.wait_until_aim()
            process.kill()
            load.join()
            acknowledged = load.acknowledged
        with target_of(bundle_path, tmp_path, commit_every=NEVER) as target:
            # The batch in flight may have been counted without an acknowledgement.
            assert target.record.state.pending in (4 * acknowledged, 4 * acknowledged + 4)
    with started(bundle_path, tmp_path, **never) as process, client(process) as http:
        for seed in range(acknowledged + 1):
            adapt(http, seed)
    with target_of(bundle_path, tmp_path, commit_every=NEVER) as target:
        state = target.record.state
    assert state.pending == 4 * (acknowledged + 1)
    with target_of(bundle_path, tmp_path / "calm", commit_every=NEVER) as target:
        for seed in range(acknowledged + 1):
            target.adapt(list(noise(4, seed)))
        calm = target.record.state
    for found, expected in zip(state.moments, calm.moments, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_told_to_stop_it_answers_what_is_under_way(bundle_path: Path, tmp_path: Path) -> None:
    with started(bundle_path, tmp_path, RN_MAX_BATCH="1") as process:

        def slowly() -> Any:
            """A body of which the last part is sent when the service has been told to stop."""
            content = npy(noise(2))
            yield content[:10]
            process.terminate()
            process.wait_for("Shutting down")
            yield content[10:]

        with client(process) as http:
            # Told to stop before it is ready, it ends without having read the request.
            assert http.get("/health/ready").status_code == 200
            answer = http.post("/adapt", content=slowly(), headers=NPY)
        assert answer.status_code == 200, answer.text
        assert answer.json()["admitted"] == 2
        assert process.exit_code() == 0
        assert not any("Traceback" in line for line in process.stderr)
    with target_of(bundle_path, tmp_path) as target:
        assert target.record.state.pending == 2

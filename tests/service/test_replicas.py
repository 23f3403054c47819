"""Several processes on one ledger: what one does, the others serve."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.pictures import NPY, noise, npy
from tests.service.postgres import Postgres, server_programs
from tests.service.processes import started

DEADLINE = 60.0
PROGRAMS = server_programs()
NEEDS_POSTGRES = pytest.mark.skipif(PROGRAMS is None, reason="needs PostgreSQL's server, as root")


class Replica:
    """One of several services."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def adapt(self, seed: int, count: int = 8) -> dict[str, Any]:
        """Post images."""
        answer = self._http.post("/adapt", content=npy(noise(count, seed)), headers=NPY)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def post(self, path: str) -> dict[str, Any]:
        """Do something by hand."""
        answer = self._http.post(path, json={"reason": "test"})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    @property
    def info(self) -> dict[str, Any]:
        """What ``GET /versions`` answers; empty while it cannot."""
        answer = self._http.get("/versions")
        found: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
        return found

    @property
    def serving(self) -> int:
        """The version that really predicts."""
        answer = self._http.post("/predict", content=npy(noise(1)), headers=NPY)
        version: int = answer.json()["version"]
        return version


@contextmanager
def replicas(bundle: Path, folder: Path, ledger: str, count: int) -> Iterator[list[Replica]]:
    with ExitStack() as stack:
        settings = {"RN_LEDGER": ledger, "RN_COMMIT_EVERY": "16", "RN_PUBLICATION_MAX_SHIFT": "99"}
        found = []
        for number in range(count):
            own = folder / str(number)
            own.mkdir()
            process = stack.enter_context(started(bundle, own, **settings))
            http = httpx.Client(base_url=process.url, timeout=DEADLINE)
            found.append(Replica(stack.enter_context(http)))
        yield found


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "it did not come to that"


def follow_and_stop(found: Sequence[Replica]) -> None:
    """A version, a rollback and a freeze of one replica reach the others."""
    assert found[0].adapt(1, 16)["serving"] == 1
    wait_until(lambda: all(replica.serving == 1 for replica in found))
    found[-1].post("/rollback")
    wait_until(lambda: all(replica.serving == 0 for replica in found))
    found[-1].post("/freeze")
    wait_until(lambda: all(replica.info.get("frozen") for replica in found))
    found[0].post("/unfreeze")
    wait_until(lambda: not any(replica.info.get("frozen", True) for replica in found))


def write_together(found: Sequence[Replica]) -> None:
    """All post at once, none gets a conflict, and every image counts once."""
    admitted: list[int] = []

    def post(replica: Replica, first: int) -> None:
        admitted.extend(replica.adapt(seed)["admitted"] for seed in range(first, first + 6))

    threads = [
        threading.Thread(target=post, args=(replica, 100 * (number + 1)))
        for number, replica in enumerate(found)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(admitted) == 6 * len(found)
    # Versions are listed from the ledger, whoever made them.
    newest = found[0].info["versions"][-1]["number"]
    wait_until(lambda: all(replica.serving == newest for replica in found))
    wait_until(lambda: found[0].info["serving"] == newest)
    info = found[0].info
    (served,) = [v for v in info["versions"] if v["number"] == info["serving"]]
    assert served["count"] + info["pending"] == pytest.approx(sum(admitted), abs=1)


def test_two_processes_share_a_file(bundle_path: Path, tmp_path: Path) -> None:
    with replicas(bundle_path, tmp_path, f"sqlite:///{tmp_path}/ledger.sqlite", 2) as found:
        follow_and_stop(found)
        write_together(found)


@NEEDS_POSTGRES
def test_three_processes_share_a_server_that_fails(bundle_path: Path, tmp_path: Path) -> None:
    assert PROGRAMS is not None
    # The server runs as another user, who may not enter the folder of this test.
    folder = Path("/tmp") / f"rn-postgres-{tmp_path.parent.name}-{tmp_path.name}"
    server = Postgres(PROGRAMS, folder)
    server.start()
    try:
        with replicas(bundle_path, tmp_path, server.url, 3) as found:
            follow_and_stop(found)
            write_together(found)
            before = found[1].serving
            server.kill()
            # Predictions go on, and an emergency stop works.
            assert found[1].serving == before
            assert found[1].post("/freeze")["unwritten"] == 1
            server.start()
            wait_until(lambda: all(replica.info.get("frozen") for replica in found))
            wait_until(lambda: found[1].info.get("unwritten") == 0)
            found[2].post("/unfreeze")
            wait_until(lambda: not any(replica.info.get("frozen", True) for replica in found))
            assert found[2].adapt(999)["admitted"] == 8
            # A server that says nothing at all is waited for, but not for ever.
            server.pause()
            assert found[0].post("/freeze")["unwritten"] == 1
            server.resume()
            wait_until(lambda: found[1].info.get("frozen") is True)
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)

"""Compose in a real engine, with a bundle of one's own; skipped where no engine runs.

The base images must be there, or be fetched; ``WHEELS`` may name an image of wheel files (see Dockerfile).
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from bench.serving import free_port
from tests.service.pictures import NPY, noise, npy, parts, png

ROOT = Path(__file__).parents[1]
PROJECT = "rn-test"
START_SECONDS = 120.0
BALANCED = ("postgres:17", "nginx:1.28")


def succeeds(*command: str) -> bool:
    """Whether a command can be run, and ends well."""
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def engine_builds() -> bool:
    """Whether an engine runs here, and a client that builds with BuildKit, as the Dockerfile needs."""
    if not succeeds("docker", "info"):
        return False
    tried = subprocess.run(
        ["docker", "build", "--quiet", "-"],
        input=b"FROM scratch\nLABEL purpose=probe\n",
        env={**os.environ, "DOCKER_BUILDKIT": "1"},
        capture_output=True,
        check=False,
    )
    return tried.returncode == 0


def compose_command() -> list[str]:
    """Compose as a plugin, or the older program."""
    plugin = succeeds("docker", "compose", "version")
    return ["docker", "compose"] if plugin else ["docker-compose"]


pytestmark = pytest.mark.skipif(
    not engine_builds(), reason="no engine runs here, or none with BuildKit"
)


class Containers:
    """The services of ``docker-compose.yml`` under a name and on ports of their own."""

    def __init__(self, bundle: Path) -> None:
        self.port, self.balancer = free_port(), free_port()
        self._environment = {
            **os.environ,
            "DOCKER_BUILDKIT": "1",
            "COMPOSE_DOCKER_CLI_BUILD": "1",
            "RN_BUNDLE": str(bundle),
            "RN_PUBLISHED_PORT": str(self.port),
            "RN_BALANCER_PORT": str(self.balancer),
        }
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)

    def compose(self, *arguments: str) -> str:
        """Run Compose to its end."""
        return self._run(*compose_command(), "--project-name", PROJECT, *arguments)

    def inspect(self, name: str) -> "dict[str, dict[str, object]]":
        """What the engine says of the container of a service."""
        identifier = self.compose("ps", "--quiet", name).split()[0]
        [found] = json.loads(self._run("docker", "inspect", identifier))
        return dict(found)

    def _run(self, *command: str) -> str:
        result = subprocess.run(
            command, cwd=ROOT, env=self._environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, f"{' '.join(command)}\n{result.stdout}{result.stderr}"
        return result.stdout


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Ask again and again."""
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def answers(client: httpx.Client) -> bool:
    """Whether a service is ready."""
    try:
        return client.get("/health/ready").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def containers(
    small_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Containers]:
    bundle = tmp_path_factory.mktemp("compose") / "bundle"
    shutil.copytree(small_bundle, bundle)
    for path in (*bundle.parents[:3], *bundle.rglob("*"), bundle):
        path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    running = Containers(bundle)
    try:
        running.compose("build", "serve")
        running.compose("up", "--detach", "--no-deps", "serve")
        wait_until(lambda: answers(running.client), "the service should answer")
        yield running
    finally:
        running.client.close()
        running.compose("--profile", "fleet", "down", "--volumes", "--remove-orphans")


def test_a_bundle_of_ones_own_is_served(containers: Containers) -> None:
    client = containers.client
    assert client.get("/health/ready").json()["model"] == "small"
    assert "<html" in client.get("/").text
    answer = client.post("/predict", files=parts([png(image) for image in noise(3)]))
    assert answer.status_code == 200 and len(answer.json()["predictions"]) == 3
    wait_until(
        lambda: containers.inspect("serve")["State"]["Health"]["Status"] == "healthy",  # type: ignore[index]
        "the health check of the image should succeed",
    )


def test_it_runs_as_nobody_in_particular_and_cannot_write(containers: Containers) -> None:
    host = containers.inspect("serve")["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert containers.compose("exec", "-T", "serve", "id", "-u").strip() == "10001"
    tried = ("exec", "-T", "serve", "sh", "-c", "touch /app/x 2>/dev/null || echo refused")
    assert containers.compose(*tried).strip() == "refused"


def test_what_was_acknowledged_survives_a_kill(containers: Containers) -> None:
    client = containers.client
    answer = client.post("/adapt", content=npy(noise(5)), headers=NPY)
    assert answer.status_code == 200 and answer.json()["admitted"] == 5, answer.text
    before = client.get("/versions").json()
    assert before["pending"] == 5
    old = containers.inspect("serve")["State"]["Pid"]
    assert isinstance(old, int)
    os.kill(old, signal.SIGKILL)
    wait_until(
        lambda: containers.inspect("serve")["State"]["Pid"] not in (0, old) and answers(client),
        "Compose should start it again",
    )
    assert client.get("/versions").json() == before


@pytest.mark.skipif(
    not all(succeeds("docker", "image", "inspect", image) for image in BALANCED),
    reason="the images of the database and the load balancer are not here",
)
def test_replicas_behind_a_balancer_follow_one_another(containers: Containers) -> None:
    containers.compose("--profile", "fleet", "build", "replica")
    fleet = ("--profile", "fleet", "up", "--detach", "--no-deps")
    containers.compose(*fleet, "postgres")
    wait_until(
        lambda: containers.inspect("postgres")["State"]["Health"]["Status"] == "healthy",  # type: ignore[index]
        "the database should be ready",
    )
    containers.compose(*fleet, "--scale", "replica=3", "replica", "balancer")
    with httpx.Client(base_url=f"http://127.0.0.1:{containers.balancer}", timeout=30) as client:
        wait_until(lambda: answers(client), "a replica should answer")
        assert client.post("/freeze", json={"reason": "all of them"}).status_code == 200
        row = 0

        def all_follow() -> bool:
            nonlocal row
            row = row + 1 if client.get("/versions").json()["frozen"] else 0
            return row > 20

        wait_until(all_follow, "every replica should be frozen")

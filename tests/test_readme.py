"""Runs the code blocks of the README, in order, in a copy of the project."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.serving import free_port

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ADDRESS = "127.0.0.1:8000"
# The example is adapted and exported first; a busy machine may take very long.
START_SECONDS = 1800
# The same commands on fewer images and in fewer steps; enough of both to read most digits.
SHORT = (
    "--steps 60 --set training.source_steps=100 --set task.source.0.count=1000"
    " --set task.validation.count=200 --set 'task.target.draw={count: 300}'"
)


@dataclass(frozen=True)
class Place:
    """Where the README's commands are run: a copy of the project, and the address of its service."""

    folder: Path
    address: str
    environment: dict[str, str]


def blocks() -> list[tuple[str, str]]:
    """Language and content of every code block."""
    return [(language, content) for language, content in BLOCK.findall(README)]


def runnable() -> list[tuple[str, str]]:
    """All blocks but those that start something that does not end, or this very test."""
    elsewhere = {"make serve\n", "make test\n", "docker compose up\n"}
    return [block for block in blocks() if block[1] not in elsewhere]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The first command of the README, `make serve`, run in a copy of the project."""
    folder = tmp_path_factory.mktemp("readme") / "project"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    # The environment of this test run stands in for the one that `make` would build.
    environment = folder / ".venv"
    environment.mkdir()
    for path in Path(sys.prefix).iterdir():
        (environment / path.name).symlink_to(path)
    (environment / "installed").unlink(missing_ok=True)
    (environment / "installed").touch()
    port = free_port()
    variables = {**os.environ, "RN_PORT": str(port), "EXAMPLE_FLAGS": SHORT}
    with (folder.parent / "make.log").open("wb") as log:
        process = subprocess.Popen(
            ["make", "serve"],
            cwd=folder,
            env=variables,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait(process, f"http://127.0.0.1:{port}/health/ready", folder.parent / "make.log")
            yield Place(folder, f"127.0.0.1:{port}", variables)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


@pytest.mark.parametrize(("language", "content"), runnable())
def test_block(place: Place, language: str, content: str) -> None:
    """Each block ends without an error."""
    commands = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}
    result = subprocess.run(
        [*commands[language], content.replace(ADDRESS, place.address)],
        cwd=place.folder,
        env={**place.environment, "RN_URL": f"http://{place.address}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_digit_is_right(place: Place) -> None:
    """The command that asks for a digit gets the right one."""
    (command,) = [
        line for _, content in blocks() for line in content.splitlines() if "/predict" in line
    ]
    label = re.search(r"-is-(\d)\.png", command)
    assert label is not None
    result = subprocess.run(
        ["bash", "-c", command.replace(ADDRESS, place.address)],
        cwd=place.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f'"label":"{label[1]}"' in result.stdout


def test_first_commands() -> None:
    """The two commands that set everything up come first."""
    shell = [content for language, content in blocks() if language == "bash"]
    assert shell[0] == "make serve\n"
    assert "make test\n" in shell


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.2)
    pytest.fail(f"make serve did not become ready: {log.read_text()}")

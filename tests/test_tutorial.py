"""Runs docs/tutorial.md by the letter: what it says to type, in its order, with a shorter training."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.serving import free_port
from tests.test_readme import BLOCK

TUTORIAL = (Path(__file__).parents[1] / "docs" / "tutorial.md").read_text()
# Enough for images as plain as these.
SHORT = "--steps 40 --set training.source_steps=60"
SERVE = "    rn serve bundles/mine\n"


class Reader:
    """Somebody who follows the tutorial in an empty folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "RN_PORT": str(self.port),
            "RN_URL": f"http://127.0.0.1:{self.port}",
            "COLUMNS": "200",
        }

    def run(self, language: str, content: str) -> str:
        """Type a block, and read what it prints."""
        commands = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}
        result = subprocess.run(
            [*commands[language], content],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, f"{content}\n{result.stdout}{result.stderr}"
        return result.stdout

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Leave the service running, as the tutorial says."""
        with subprocess.Popen(
            [sys.executable, "-m", "rn", *SERVE.split()[1:]],
            cwd=self.folder,
            env=self.environment,
            stderr=subprocess.PIPE,
            text=True,
        ) as service:
            try:
                assert service.stderr is not None
                assert any(line.startswith("serving ") for line in service.stderr)
                yield
            finally:
                service.terminate()

    def accuracy(self, folder: str) -> float:
        """Share of the images whose label is the name of their folder."""
        text = self.run("bash", f"rn predict {folder}")
        rows = [line.split() for line in text.splitlines() if line.startswith(folder)]
        assert len(rows) == 240
        return sum(Path(path).parent.name == label for path, label, *_ in rows) / len(rows)


def test_the_tutorial_ends_where_it_says(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    before, after = TUTORIAL.split(SERVE)
    for language, content in BLOCK.findall(before):
        reader.run(language, content.replace("--out runs/mine", f"--out runs/mine {SHORT}"))
    with reader.serving():
        said = [reader.run(language, content) for language, content in BLOCK.findall(after)]
        night, fog = reader.accuracy("data/check"), reader.accuracy("data/fog")
    assert night > 0.8, "what it was adapted to, with the exported version again"
    assert fog < night - 0.2, "the exported version does not know the fog"
    proposed, published, events = said[2], said[3], said[4]
    assert "proposed" in proposed
    assert "auto: good versions are published" in published
    assert "reset" in events and "the fog has gone" in events

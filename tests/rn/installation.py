"""The wheel of this project, installed into a clean environment."""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any, NamedTuple

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGES = ("bundle", "export", "rn", "rn_model", "service")
LONG = 300.0

_BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


class Installation(NamedTuple):
    """An environment in which nothing but the wheel is installed.

    Attributes:
        wheel: the wheel.
        folder: directory of the environment.
    """

    wheel: Path
    folder: Path

    @property
    def command(self) -> tuple[str]:
        """The installed ``rn``."""
        return (str(self.folder / "bin" / "rn"),)

    def hint(self, *extras: str) -> str:
        """What a person has to type for some extras: the wheel is the only thing that is certainly ours."""
        return f"pip install '{self.wheel}[{','.join(extras)}]'"

    def dependencies(self, *extras: str) -> Path:
        """A folder with what these extras require, and what every installation has, for PYTHONPATH."""
        path = self.folder / "-".join(("dependencies", *extras))
        if not path.exists():
            path.mkdir()
            _link(_closure(_requirements(extras)), path)
        return path

    def run(
        self, *arguments: str, extras: Sequence[str] = (), folder: Path | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run ``rn`` to its end where only these extras are installed."""
        return self.execute(*self.command, *arguments, extras=extras, folder=folder)

    def execute(
        self, *command: str, extras: Sequence[str] = (), folder: Path | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run a program of the environment to its end where only these extras are installed."""
        environment = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
        # More threads than that are slower for as little as there is to compute.
        environment["OMP_NUM_THREADS"] = "1"
        return subprocess.run(
            command,
            env=environment | {"PYTHONPATH": str(self.dependencies(*extras)), "COLUMNS": "120"},
            cwd=folder or self.folder,
            capture_output=True,
            text=True,
            timeout=LONG,
            check=False,
        )


def install(folder: Path) -> Installation:
    """Build the wheel from a copy of the sources, and install it into a new environment."""
    sources, wheels, environment = folder / "sources", folder / "wheels", folder / "environment"
    sources.mkdir()
    for package in PACKAGES:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, sources / package, ignore=ignore)
    for name in ("pyproject.toml", *_named_files()):
        shutil.copy(ROOT / name, sources)
    wheels.mkdir()
    _check(sys.executable, "-c", _BUILD, str(wheels), cwd=sources)
    (wheel,) = wheels.iterdir()
    # sys._base_executable: an environment made from within another would see that one's packages.
    _check(
        str(Path(sys.base_prefix) / "bin" / "python3"),
        "-m",
        "venv",
        "--without-pip",
        str(environment),
    )
    pip = (sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python"))
    options = ("--quiet", "--no-index", "--no-deps", "--no-compile", "--disable-pip-version-check")
    _check(*pip, "install", *options, str(wheel))
    return Installation(wheel, environment)


def _named_files() -> list[str]:
    return [PROJECT["readme"], *(str(path.name) for path in ROOT.glob("LICEN[CS]E*"))]


def _check(*command: str, cwd: Path | None = None) -> None:
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def _requirements(extras: Sequence[str]) -> Iterator[str]:
    """The requirements of this project with some extras, its references to itself resolved."""
    yield from PROJECT["dependencies"]
    for extra in extras:
        for text in PROJECT["optional-dependencies"][extra]:
            requirement = Requirement(text)
            if requirement.name == PROJECT["name"]:
                yield from _requirements(sorted(requirement.extras))
            else:
                yield text


def _closure(requirements: Iterator[str]) -> Iterator[Distribution]:
    """The distributions that installing these requirements brings along."""
    seen: set[tuple[str, str]] = set()
    waiting = [*_wanted(requirements, "")]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        name, extra = current
        found = distribution(name)
        yield found
        waiting.extend(_wanted(found.requires or [], extra))


def _wanted(requirements: Iterator[str] | list[str], extra: str) -> Iterator[tuple[str, str]]:
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield from ((requirement.name, other) for other in ("", *requirement.extras))


def _link(distributions: Iterator[Distribution], folder: Path) -> None:
    for found in distributions:
        for file in found.files or []:
            link = folder / file.parts[0]
            if ".." not in file.parts and link.name != "__pycache__" and not link.exists():
                link.symlink_to(Path(str(found.locate_file(link.name))))

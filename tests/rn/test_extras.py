"""The service as ``reciprocal-norm[cpu]`` installs it: without torch and all else for training."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.service.pictures import NPY, noise, npy
from tests.service.processes import LONG, client, run, started

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MAIN = "from rn.main import main; main()"
PACKAGES = ("bundle", "export", "rn", "rn_model", "service")
ABSENT = ("torch", "sklearn", "scipy", "matplotlib", "onnxscript", "pytest", "hypothesis")


def closure(requirements: Sequence[str]) -> Iterator[Distribution]:
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


def _wanted(requirements: Sequence[str], extra: str) -> Iterator[tuple[str, str]]:
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield from ((requirement.name, other) for other in ("", *requirement.extras))


def of_the_service() -> list[str]:
    """What ``reciprocal-norm[cpu]`` requires, its own extras resolved."""
    extras = PROJECT["optional-dependencies"]
    own = f"{PROJECT['name']}[service]"
    assert own in extras["cpu"]
    others = [requirement for requirement in extras["cpu"] if requirement != own]
    return [*PROJECT["dependencies"], *extras["service"], *others]


def install(site: Path) -> None:
    """Make this project importable there, with the entry points that an installation has."""
    for package in PACKAGES:
        (site / package).symlink_to(ROOT / package)
    name, version = PROJECT["name"], PROJECT["version"]
    metadata = site / f"{name.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = [
        line
        for group, entries in PROJECT["entry-points"].items()
        for line in (f"[{group}]", *(f"{key} = {value}" for key, value in entries.items()))
    ]
    (metadata / "entry_points.txt").write_text("\n".join(lines))


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """``rn`` in an interpreter that sees only what that installation holds."""
    site = tmp_path_factory.mktemp("site")
    install(site)
    for found in closure(of_the_service()):
        for file in found.files or []:
            link = site / file.parts[0]
            if ".." not in file.parts and link.name != "__pycache__" and not link.exists():
                link.symlink_to(Path(str(found.locate_file(link.name))))
    code = f"import sys; sys.path.append({str(site)!r}); {MAIN}"
    # No site-packages, no current directory, no environment.
    return (sys.executable, "-I", "-S", "-c", code)


def outcome(command: tuple[str, ...], code: str) -> "subprocess.CompletedProcess[str]":
    """Run other code in the same interpreter."""
    *options, main = command
    return subprocess.run(
        (*options, main.replace(MAIN, code)),
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )


def test_nothing_else_is_there(command: tuple[str, ...]) -> None:
    code = f"from importlib.util import find_spec; print([n for n in {ABSENT} if find_spec(n)])"
    assert outcome(command, code).stdout == "[]\n"
    assert "No module named 'torch'" in outcome(command, "import torch").stderr


def test_the_service_works(command: tuple[str, ...], bundle_path: Path, tmp_path: Path) -> None:
    with started(bundle_path, tmp_path, command, RN_COMMIT_EVERY="8") as process:
        with client(process) as http:
            answer = http.post("/predict", content=npy(noise(3)), headers=NPY)
            assert answer.status_code == 200, answer.text
            assert len(answer.json()["predictions"]) == 3
            answer = http.post("/adapt", content=npy(noise(8)), headers=NPY)
            assert answer.status_code == 200, answer.text
            assert answer.json()["committed"]["number"] == 1
            assert http.get("/openapi.json").status_code == 200
            assert http.get("/metrics").status_code == 200
        process.terminate()
        assert process.exit_code() == 0


def test_bundles_are_inspected_and_compared(
    command: tuple[str, ...], bundle_path: Path, tmp_path: Path
) -> None:
    result = run("inspect", str(bundle_path), folder=tmp_path, command=command)
    assert result.returncode == 0 and "2 normalization layers" in result.stdout
    result = run("diff", str(bundle_path), str(bundle_path), folder=tmp_path, command=command)
    assert (result.returncode, result.stdout) == (0, "the same\n")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [(("adapt", "--help"), "rn: rn adapt"), (("export", "run"), "rn export: run")],
)
def test_what_needs_torch_says_which_extra(
    arguments: tuple[str, ...], what: str, command: tuple[str, ...], tmp_path: Path
) -> None:
    options = () if "--help" in arguments else ("--out", "bundle")
    result = run(*arguments, *options, folder=tmp_path, command=command)
    assert result.returncode == 1
    assert re.fullmatch(
        rf"{what} needs \w+: pip install 'reciprocal-norm\[train,cpu\]'\n", result.stderr
    ), result.stderr


def test_a_bundle_is_laid_out_for_others(
    command: tuple[str, ...], bundle_path: Path, tmp_path: Path
) -> None:
    arguments = ("export", str(bundle_path), "--layout", "triton", "--out", "models")
    result = run(*arguments, folder=tmp_path, command=command)
    assert result.returncode == 0, result.stderr
    assert len(list((tmp_path / "models").glob("*/1/model.onnx"))) == 1
    result = run(*arguments[:3], "mlflow", "--out", "model", folder=tmp_path, command=command)
    assert result.returncode == 1
    assert result.stderr == (
        "rn export: the layout mlflow needs mlflow and pandas:"
        " pip install 'reciprocal-norm[cpu,mlflow]'\n"
    )

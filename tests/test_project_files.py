"""The Makefile, the Dockerfile and the other files at the top fit the project."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from service.security.policy import Policy
from service.settings import Settings

ROOT = Path(__file__).parents[1]


@pytest.fixture
def commands(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The commands of ``make serve`` in a fresh checkout, with some of its products.

    A bundle among them is served in the place of the example.
    """
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("pyproject.toml", "constraints.txt", *request.param):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    bundles = [Path(name).parent for name in request.param if name.endswith("manifest.json")]
    result = subprocess.run(
        ["make", "--dry-run", "serve", *(f"BUNDLE={bundle}" for bundle in bundles)],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    return result.stdout


@pytest.mark.parametrize("commands", [()], indirect=True)
def test_serve_installs_what_it_needs_alone(commands: str) -> None:
    assert "'.[train,cpu]'" in commands
    assert "dev" not in commands
    assert "rn adapt printed-digits" in commands


@pytest.mark.parametrize("commands", [["mine/manifest.json"]], indirect=True)
def test_serving_a_bundle_of_ones_own_installs_nothing_for_training(commands: str) -> None:
    assert "'.[cpu]'" in commands and "rn serve mine" in commands
    assert "train,cpu" not in commands and "rn adapt" not in commands


@pytest.mark.parametrize("commands", [[".venv/installed"], [".venv/runtime"]], indirect=True)
def test_serve_installs_nothing_twice(commands: str) -> None:
    assert "pip" not in commands
    assert "rn adapt printed-digits" in commands


def test_a_missing_bundle_is_one_line() -> None:
    result = subprocess.run(
        ["make", "--dry-run", "serve", "BUNDLE=no/such"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert "no/such is not a bundle: set BUNDLE=DIRECTORY" in result.stdout


def test_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    result = subprocess.run(["make"], cwd=ROOT, check=True, capture_output=True, text=True)
    listed = re.findall(r"^  make ([a-z-]+) +\S", result.stdout, re.MULTILINE)
    assert sorted(listed) == sorted(phony.split())


def test_images_get_what_they_copy() -> None:
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    copied = set[str]()
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from=" not in line:
            copied.update(line.split()[1:-1])
    assert ignore[0] == "*"
    assert {f"!{name}" for name in copied} <= set(ignore)
    assert all((ROOT / name).exists() for name in copied)


def test_images_hold_every_package() -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    include = patterns["packages"]["find"]["include"]
    packages = {
        path.parent.name
        for path in ROOT.glob("*/__init__.py")
        if any(path.parent.match(pattern) for pattern in include)
    }
    copied = re.findall(r"^COPY (\w+) \1$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert sorted(copied) == sorted([*packages, *packages])  # once per image
    (stubs,) = re.findall(r"for package in ([\w ]+);", (ROOT / "Dockerfile").read_text())
    assert set(stubs.split()) == packages


@pytest.mark.parametrize("key", ["", "x" * 32])
@pytest.mark.parametrize("name", ["serve", "serve-gpu"])
def test_compose_is_open_to_its_own_machine_only(
    name: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its service starts without keys, and with one as soon as it is set."""
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"][name]
    assert service["ports"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    found = re.findall(r"(RN_\w+)=(\S+)", (ROOT / "Dockerfile").read_text())
    settings = {**dict(found), **service["environment"], "RN_PREDICT_KEY": key}
    assert settings["RN_HOST"] == "0.0.0.0"
    for variable, value in settings.items():
        default = re.sub(r"\$\{\w+:-(.*)\}", r"\1", value)
        monkeypatch.setenv(variable, default)
    policy = Policy.of(Settings())
    assert policy.authenticator.has_keys == bool(key)
    assert not policy.loopback_only


def test_version_and_licence_are_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]
    assert f"## [{project['version']}]" in (ROOT / "CHANGELOG.md").read_text()


def test_hooks_run_programs_of_the_project() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        program = hook["entry"].split()[0]
        assert program.startswith(".venv/bin/")
        assert shutil.which(Path(sys.prefix) / "bin" / Path(program).name), program


def test_the_container_is_asked_by_the_command_that_is_made_for_it() -> None:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    found = re.search(r"^HEALTHCHECK .* CMD (\[.*\])$", text, re.MULTILINE)
    assert found is not None
    assert json.loads(found[1]) == ["rn", "health"]


@pytest.mark.parametrize("name", ["serve", "serve-gpu", "replica"])
def test_compose_serves_the_example_or_the_bundle_that_is_named(name: str) -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert "${RN_BUNDLE:-bundles}:/served:ro" in services[name]["volumes"]
    assert "${RN_BUNDLE:-bundles}:/served:ro" in services["adapt"]["volumes"]
    assert services[name]["read_only"] is True
    assert services[name]["entrypoint"] == ["sh", "-euc"]


def test_what_compose_mounts_is_there() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"].values()
    mounted = [
        volume.split(":")[0] for service in services for volume in service.get("volumes", [])
    ]
    assert all((ROOT / path).exists() for path in mounted if path.startswith("./"))

import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bundle import extras
from bundle.extras import DISTRIBUTION, EXTRAS, install_command, missing_package

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


def brought(extra: str) -> Iterator[str]:
    """Names of the projects that an extra lists."""
    for text in PROJECT["optional-dependencies"][extra]:
        requirement = Requirement(text)
        if requirement.name != DISTRIBUTION:
            yield canonicalize_name(requirement.name)


def test_the_table_agrees_with_the_extras() -> None:
    assert PROJECT["name"] == DISTRIBUTION
    projects = packages_distributions()
    found = {}
    for package, extra in EXTRAS.items():
        names: set[str] = {canonicalize_name(n) for n in projects.get(package, [package])}
        # onnxruntime may be installed as onnxruntime-gpu, and FastAPI brings starlette.
        names |= {"fastapi"} if package == "starlette" else set()
        names |= {"onnxruntime"} if package == "onnxruntime" else set()
        names |= {"mlflow-skinny"} if package == "mlflow" else set()
        found[package] = bool(names & set(brought(extra)))
    assert all(found.values()), found


@pytest.mark.parametrize(
    ("module", "extras", "text"),
    [
        ("torch", ("train",), f"torch: {install_command('train')}"),
        ("torch.nn", ("train", "cpu"), f"torch: {install_command('train', 'cpu')}"),
        ("fastapi", ("cpu",), f"fastapi: {install_command('cpu')}"),
        ("matplotlib", ("cpu",), "matplotlib: pip install matplotlib"),
        ("sklearn.svm", (), "sklearn: pip install scikit-learn"),
        ("bundle.absent", ("cpu",), None),
        (None, ("cpu",), None),
    ],
)
def test_what_is_missing_is_named(
    module: str | None, extras: tuple[str, ...], text: str | None
) -> None:
    assert missing_package(module, *extras) == text


@pytest.mark.parametrize(
    ("written", "command"),
    [
        ('{"url": "file:///home/me/a%20b", "dir_info": {}}', "pip install '/home/me/a b[cpu]'"),
        (
            '{"url": "file:///clone", "dir_info": {"editable": true}}',
            "pip install --editable '/clone[cpu]'",
        ),
        ('{"url": "file:///w/rn.whl", "archive_info": {}}', "pip install '/w/rn.whl[cpu]'"),
        ('{"url": "https://example.org/rn.whl"}', f"pip install '{DISTRIBUTION}[cpu]'"),
        (None, f"pip install '{DISTRIBUTION}[cpu]'"),
    ],
)
def test_the_command_names_what_was_installed(
    written: str | None, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Installed:
        def read_text(self, name: str) -> str | None:
            return written if name == "direct_url.json" else None

    monkeypatch.setattr(extras, "distribution", lambda _: Installed())
    extras._origin.cache_clear()
    assert install_command("cpu") == command
    monkeypatch.undo()
    extras._origin.cache_clear()

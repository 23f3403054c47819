import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bundle.extras import DISTRIBUTION, EXTRAS, missing_package

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
        ("torch", ("train",), "torch: pip install 'reciprocal-norm[train]'"),
        ("torch.nn", ("train", "cpu"), "torch: pip install 'reciprocal-norm[train,cpu]'"),
        ("fastapi", ("cpu",), "fastapi: pip install 'reciprocal-norm[cpu]'"),
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

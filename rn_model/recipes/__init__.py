"""Recipes: configurations of runs for known data sets, in which only the domains are left to choose.

A recipe is a YAML file with the configuration of a run, but with ``domains`` instead of ``task``. Each
domain has the settings of a :class:`~rn_model.data.DatasetConfig`, with paths relative to the data
folder. Two more settings are optional: ``test``, labelled images to report accuracy on if the domain is
the target; and ``validation``, labelled images to hold out if the domain is the source.
"""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from rn_model.data.config import expand
from rn_model.data.errors import DataError

_PATHS = ("path", "list", "root")
_PARTS = ("test", "validation")
# Settings of a recipe that a run does not have.
_OWN = ("description", "domains", "classes", "source", "target", "validation")


def recipe_names() -> list[str]:
    """Names of the built-in recipes."""
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in files(__name__).iterdir()
        if entry.name.endswith(".yaml")
    )


def load_recipe(name: str) -> dict[str, Any]:
    """Read a built-in recipe.

    Raises:
        DataError: if there is no recipe of this name.
    """
    if name not in recipe_names():
        raise DataError(f"unknown recipe {name!r}; the recipes are {', '.join(recipe_names())}")
    recipe: dict[str, Any] = yaml.safe_load((files(__name__) / f"{name}.yaml").read_text("utf-8"))
    return recipe


def expand_recipe(
    recipe: Mapping[str, Any], source: Sequence[str], target: str, data: Path
) -> dict[str, Any]:
    """Make the configuration of a run from a recipe and a choice of domains.

    Args:
        recipe: the recipe.
        source: names of labelled domains; empty for the ``source`` of the recipe, if it has one.
        target: name of the domain to adapt to; empty for the ``target`` of the recipe.
        data: folder that the paths of the domains start from.

    Raises:
        DataError: if a name is missing or unknown, or the target is also a source.
    """
    domains = _domains(recipe)
    default = recipe.get("source") or []
    names = list(source) or ([default] if isinstance(default, str) else list(default))
    target = target or recipe.get("target") or ""
    for role, name in [*(("source", name) for name in names or [""]), ("target", target)]:
        if name not in domains:
            what = f"unknown domain {name!r}" if name else f"the recipe needs a {role}"
            raise DataError(f"{what}: choose from {', '.join(domains)}")
    if target in names:
        raise DataError(
            f"domain {target!r} is both source and target: choose two different domains"
        )
    task = {
        "source": [_dataset(name, domains[name], data) for name in names],
        "target": _dataset(target, domains[target], data),
    }
    test = domains[target].get("test")
    if test is not None:
        task["test"] = _dataset(f"{target} test", test, data)
    validation = recipe.get("validation")
    if len(names) == 1:
        validation = domains[names[0]].get("validation", validation)
    if isinstance(validation, Mapping):
        validation = _dataset(f"{names[0]} validation", validation, data)
    if validation is not None:
        task["validation"] = validation
    if recipe.get("classes") is not None:
        task["classes"] = recipe["classes"]
    name = f"{recipe.get('name', 'run')}: {' + '.join(names)} to {target}"
    run = {key: value for key, value in recipe.items() if key not in _OWN}
    return {**run, "name": name, "task": task}


def _domains(recipe: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    domains = recipe.get("domains")
    if not isinstance(domains, Mapping) or not domains:
        raise DataError("a recipe needs domains: a mapping of names to data sets")
    for name, domain in domains.items():
        for part in (domain, *(domain[key] for key in _PARTS if key in domain)):
            if not isinstance(part, Mapping):
                raise DataError(f"domain {name!r} must be a data set, e.g. {{path: folder}}")
    return domains


def _dataset(name: str, domain: Mapping[str, Any], data: Path) -> dict[str, Any]:
    dataset = {"name": name, **{k: v for k, v in domain.items() if k not in _PARTS}}
    base = data.expanduser()
    for key in _PATHS:
        if isinstance(dataset.get(key), str):
            dataset[key] = str(expand(dataset[key], base))
    return dataset

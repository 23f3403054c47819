"""Complete runs for known datasets: a YAML file each, in which the domains are left to choose.

A recipe is a run's configuration with ``domains`` in the place of ``task``: for each domain, what a
:class:`~rn_model.data.DatasetConfig` says, with paths that start from the folder of the data, and
perhaps ``test``, labelled images that are reported on when the domain is the target, and
``validation``, labelled images that are held out when it is the source.
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
# What a recipe has and a run does not.
_OWN = ("description", "domains", "classes", "source", "target", "validation")


def recipe_names() -> list[str]:
    """Names of the recipes that come with the program."""
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in files(__name__).iterdir()
        if entry.name.endswith(".yaml")
    )


def load_recipe(name: str) -> dict[str, Any]:
    """A recipe as it is written.

    Raises:
        DataError: if there is none of that name.
    """
    if name not in recipe_names():
        raise DataError(f"there is no recipe {name!r}; there are {', '.join(recipe_names())}")
    recipe: dict[str, Any] = yaml.safe_load((files(__name__) / f"{name}.yaml").read_text("utf-8"))
    return recipe


def expand_recipe(
    recipe: Mapping[str, Any], source: Sequence[str], target: str, data: Path
) -> dict[str, Any]:
    """The configuration of a run that a recipe and a choice of domains make.

    Args:
        recipe: see above.
        source: names of labelled domains; empty for the recipe's ``source``, if it has one.
        target: name of the domain to adapt to; empty for the recipe's ``target``.
        data: folder that the domains' paths start from.

    Raises:
        DataError: if a name is missing or unknown, or the target is a source too.
    """
    domains = _domains(recipe)
    default = recipe.get("source") or []
    names = list(source) or ([default] if isinstance(default, str) else list(default))
    target = target or recipe.get("target") or ""
    for role, name in [*(("source", name) for name in names or [""]), ("target", target)]:
        if name not in domains:
            what = f"there is no domain {name!r}" if name else f"the recipe needs a {role}"
            raise DataError(f"{what}: choose among {', '.join(domains)}")
    if target in names:
        raise DataError(f"the domain {target!r} is source and target: choose two")
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
        raise DataError("a recipe needs domains: a mapping of names to datasets")
    for name, domain in domains.items():
        for part in (domain, *(domain[key] for key in _PARTS if key in domain)):
            if not isinstance(part, Mapping):
                raise DataError(f"the domain {name!r} must be a dataset, such as {{path: folder}}")
    return domains


def _dataset(name: str, domain: Mapping[str, Any], data: Path) -> dict[str, Any]:
    dataset = {"name": name, **{k: v for k, v in domain.items() if k not in _PARTS}}
    base = data.expanduser()
    for key in _PATHS:
        if isinstance(dataset.get(key), str):
            dataset[key] = str(expand(dataset[key], base))
    return dataset

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundle.preprocessing import Preprocessing
from rn_model.data import AugmentationConfig, DataError, Draw, TaskConfig, open_task
from rn_model.data.augmentation import load_preprocessing, make_augmentation
from rn_model.digits.images import PREPROCESSING
from rn_model.recipes import expand_recipe, load_recipe, recipe_names
from tests.rn_model.data.pictures import arrays, class_folders, flat_folder, picture

NAMES = recipe_names()


def test_the_built_in_recipes() -> None:
    assert NAMES == [
        "digits",
        "folders",
        "folders-small",
        "imageclef-da",
        "office-31",
        "office-home",
        "printed-digits",
        "visda-c",
    ]
    with pytest.raises(
        DataError, match=r"unknown recipe 'office'; the recipes are digits, folders"
    ):
        load_recipe("office")


@pytest.mark.parametrize("name", NAMES)
def test_every_domain_of_a_recipe_can_be_a_target(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    assert recipe["name"] == name
    first, *others = recipe["domains"]
    for target in others:
        run = expand_recipe(recipe, [first], target, tmp_path)
        task = TaskConfig.model_validate(run["task"])
        assert task.source[0].title == first
        for config in (*task.source, task.target, task.test):
            if config is not None and config.built_in is None:
                assert Path(config.path or config.list or "").is_relative_to(tmp_path)
        assert not run.keys() & {"description", "domains", "source", "target", "classes"}


@pytest.mark.parametrize("name", NAMES)
def test_views_of_a_recipe_can_be_made(name: str) -> None:
    recipe = load_recipe(name)
    contract = Preprocessing.model_validate(recipe["preprocessing"])
    views = AugmentationConfig.model_validate(recipe.get("augmentation", {}))
    for view in (views.source, views.target):
        make_augmentation(view, contract)
        assert load_preprocessing(view, contract).height in (contract.height, 73, 256)


def test_partial_targets_have_as_many_classes_as_they_say() -> None:
    for name, suffix, count in (
        ("office-31", "-10", 10),
        ("office-home", "-25", 25),
        ("visda-c", "-6", 6),
    ):
        domains = load_recipe(name)["domains"]
        partial = [domain for key, domain in domains.items() if key.endswith(suffix)]
        assert partial
        assert all(len(set(domain["only"])) == count for domain in partial)


def _task(name: str, source: list[str], target: str, data: Path) -> TaskConfig:
    return TaskConfig.model_validate(expand_recipe(load_recipe(name), source, target, data)["task"])


def _small(name: str) -> Preprocessing:
    contract = load_recipe(name)["preprocessing"]
    return Preprocessing.model_validate({**contract, "height": 8, "width": 8, "shorter_side": 8})


def test_the_layout_of_office_31(tmp_path: Path) -> None:
    shared = load_recipe("office-31")["domains"]["webcam-10"]["only"]
    counts = dict.fromkeys((*shared, "stapler"), 2)
    for domain in ("amazon", "webcam"):
        class_folders(tmp_path / domain / "images", counts)
    task = open_task(_task("office-31", ["amazon"], "webcam-10", tmp_path), _small("office-31"))
    assert (len(task.classes), len(task.sources[0]), len(task.validation)) == (11, 11, 11)
    assert (len(task.target), task.target.name) == (20, "webcam-10")


def test_the_layout_of_imageclef_da(tmp_path: Path) -> None:
    for domain, folder in (("c", "105.horse"), ("p", "any")):
        lines = []
        for label in range(12):
            for number in range(2):
                path = f"{domain}/{folder}/{label}_{number}.jpg"
                picture(tmp_path / path)
                lines.append(f"{path} {label}")
        (tmp_path / "list").mkdir(exist_ok=True)
        (tmp_path / "list" / f"{domain}List.txt").write_text("\n".join(lines))
    task = open_task(_task("imageclef-da", ["caltech"], "pascal", tmp_path), _small("imageclef-da"))
    assert task.classes[8] == "horse"
    assert task.target.labels is not None
    assert np.bincount(task.target.labels).tolist() == [2] * 12


def test_digits_are_trained_on_and_tested_by_their_splits(tmp_path: Path) -> None:
    for name, count in (("MNIST", 30), ("USPS", 20)):
        labels = [index % 10 for index in range(count)]
        arrays(tmp_path / f"{name}.npz", labels, split=np.arange(count) // 10 % 2)
    contract = Preprocessing.model_validate(load_recipe("digits")["preprocessing"])
    task = open_task(_task("digits", ["mnist"], "usps", tmp_path), contract)
    assert (len(task.sources[0]), len(task.validation), len(task.target)) == (20, 10, 10)
    assert task.test is not None
    assert task.test.read([0])[0, 0, 0, 0] == 10
    small = _task("digits", ["mnist-p1"], "usps-p1", tmp_path)
    assert (small.source[0].draw, small.target.draw) == (Draw(count=2000), Draw(count=1800))
    assert small.test is None


def test_printed_digits_need_no_choice_and_no_data(tmp_path: Path) -> None:
    recipe = load_recipe("printed-digits")
    recipe["domains"]["printed"]["count"] = 40
    recipe["domains"]["printed"]["validation"]["count"] = 20
    run = expand_recipe(recipe, [], "", tmp_path)
    assert run["name"] == "printed-digits: printed to handwritten"
    assert Preprocessing.model_validate(run["preprocessing"]) == PREPROCESSING
    task = open_task(TaskConfig.model_validate(run["task"]), PREPROCESSING)
    assert (len(task.sources[0]), len(task.validation), len(task.target)) == (40, 20, 1797)


def test_user_folders(tmp_path: Path) -> None:
    class_folders(tmp_path / "source", {"a": 4, "b": 4})
    flat_folder(tmp_path / "target", 3)
    picture(tmp_path / "target" / "2024" / "x.png")
    class_folders(tmp_path / "test", {"b": 2})
    for target, tested in (("target", None), ("tested", [1, 1])):
        task = open_task(_task("folders", ["source"], target, tmp_path), _small("folders"))
        assert len(task.target) == 4
        labels = None if task.test is None else task.test.labels
        assert (None if labels is None else labels.tolist()) == tested


def test_several_domains_can_be_sources(tmp_path: Path) -> None:
    run = expand_recipe(load_recipe("office-home"), ["art", "product"], "clipart", tmp_path)
    assert run["name"] == "office-home: art + product to clipart"
    assert [source["name"] for source in run["task"]["source"]] == ["art", "product"]
    assert "validation" not in run["task"]


def test_a_user_recipe(tmp_path: Path) -> None:
    recipe: dict[str, Any] = {
        "domains": {"x": {"list": "l.txt", "root": "$PLACE"}, "y": {"path": "/y"}},
        "classes": ["p", "q"],
        "validation": 0.3,
        "seed": 4,
    }
    run = expand_recipe(recipe, ["x"], "y", tmp_path)
    assert run == {
        "name": "run: x to y",
        "seed": 4,
        "task": {
            "source": [
                {"name": "x", "list": str(tmp_path / "l.txt"), "root": f"{tmp_path}/$PLACE"}
            ],
            "target": {"name": "y", "path": "/y"},
            "validation": 0.3,
            "classes": ["p", "q"],
        },
    }


@pytest.mark.parametrize(
    ("source", "target", "complaint"),
    [
        (["amazon"], "paris", "unknown domain 'paris': choose from amazon, dslr, webcam"),
        (["paris"], "amazon", "unknown domain 'paris'"),
        ([], "amazon", "the recipe needs a source: choose from amazon"),
        (["amazon"], "", "the recipe needs a target: choose from amazon"),
        (["amazon", "dslr"], "dslr", "domain 'dslr' is both source and target"),
    ],
)
def test_an_invalid_choice_is_an_error(source: list[str], target: str, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        expand_recipe(load_recipe("office-31"), source, target, Path())


@pytest.mark.parametrize(
    "domains", [None, [], {}, {"x": "folder"}, {"x": {"path": "x", "test": 1}}]
)
def test_invalid_domains_are_an_error(domains: object) -> None:
    with pytest.raises(DataError, match=r"a recipe needs domains|'x' must be a data set"):
        expand_recipe({"domains": domains}, ["x"], "x", Path())

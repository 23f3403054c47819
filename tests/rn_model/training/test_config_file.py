from pathlib import Path
from typing import Any

import pytest
import yaml

from rn_model.recipes import recipe_names
from rn_model.training.config_file import load_config
from rn_model.training.errors import TrainingError
from rn_model.training.overrides import parse_override
from tests.rn_model.training.running import tiny


def _file(folder: Path, raw: Any, name: str = "own.yaml") -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(raw if isinstance(raw, str) else yaml.safe_dump(raw))
    return str(folder / name)


def _reason(name: str, **more: Any) -> str:
    with pytest.raises(TrainingError) as caught:
        load_config(name, **more)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_recipe_that_needs_no_data() -> None:
    loaded, base = load_config("printed-digits")
    assert loaded.name == "printed-digits: printed to handwritten"
    assert base == Path()


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_is_a_configuration(name: str, tmp_path: Path) -> None:
    domains = {"digits": ("mnist", "usps"), "office-31": ("amazon", "webcam")}
    source, target = domains.get(name, (None, None))
    try:
        loaded, _ = load_config(
            name, sources=[source] if source else [], target=target, data=tmp_path
        )
    except TrainingError as error:
        # The errors of the other recipes list their domains.
        listed = str(error).partition("choose from ")[2].split(", ")
        loaded, _ = load_config(name, sources=[listed[0]], target=listed[1], data=tmp_path)
    assert loaded.task.source and loaded.training.steps > 0


def test_paths_start_from_the_folder_of_the_file(tmp_path: Path) -> None:
    raw = tiny(tmp_path, task__source={"path": "images"})
    loaded, base = load_config(_file(tmp_path / "deep", raw))
    assert base == tmp_path / "deep"
    assert loaded.task.source[0].path == "images"


def test_a_user_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = tiny(tmp_path)
    del raw["task"]
    raw["domains"] = {"a": {"path": "x"}, "b": {"path": "y"}}
    raw["backbone"]["weights"] = "weights.pt"
    name = _file(tmp_path / "deep", raw)
    loaded, base = load_config(name, sources=["a"], target="b")
    assert loaded.task.source[0].path == str(tmp_path / "deep" / "x")
    # The path of the weights, too, starts from the folder of the recipe.
    assert base == tmp_path / "deep"
    monkeypatch.chdir(tmp_path)
    loaded, _ = load_config(name, sources=["a"], target="b", data=Path("data"))
    assert loaded.task.target.path == str(tmp_path / "data" / "y")
    assert "choose from a, b" in _reason(name, sources=["a"], target="c")


def test_values_by_dotted_names(tmp_path: Path) -> None:
    name = _file(tmp_path, tiny(tmp_path, objectives=[{"name": "mcc"}, {"name": "bnm"}]))
    overrides = dict(
        map(
            parse_override,
            ["training.steps=7", "augmentation.source.flip=0.5", "objectives.1.weight=0.25"],
        )
    )
    loaded, _ = load_config(name, overrides=overrides)
    assert loaded.training.steps == 7 and loaded.training.source_steps == 4
    assert loaded.augmentation.source.flip == 0.5
    assert [objective.weight for objective in loaded.objectives] == [1.0, 0.25]


def test_values_are_yaml() -> None:
    assert parse_override("a.b=[1, x]") == ("a.b", [1, "x"])
    assert parse_override("a=") == ("a", None)
    assert parse_override("path=x=y") == ("path", "x=y")
    for text in ("steps", "=3"):
        with pytest.raises(TrainingError, match="--set needs NAME=VALUE"):
            parse_override(text)
    with pytest.raises(TrainingError, match=r"--set a: '\[1' is not valid YAML"):
        parse_override("a=[1")


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("training.steps.x", "training.steps is 6, which has no settings"),
        ("objectives.3.weight", "index '3' is out of range for a list of 1, counted from 0"),
        ("objectives.mcc.weight", "index 'mcc' is out of range for a list of 1"),
    ],
)
def test_values_outside_of_the_configuration_are_an_error(
    tmp_path: Path, key: str, reason: str
) -> None:
    message = _reason(_file(tmp_path, tiny(tmp_path)), overrides={key: 1})
    assert message == f"cannot set {key}: {reason}" or message.startswith(
        f"cannot set {key}: {reason}"
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"training__stepz": 1}, "training.stepz: unknown setting; did you mean steps?"),
        ({"zzz": 1}, "zzz: unknown setting"),
        (
            {"task__target": {"pat": "x"}},
            "task.target.pat: unknown setting; did you mean path?",
        ),
        (
            {"task__validation": {"pat": "x"}},
            "pat: unknown setting; did you mean path?",
        ),
        (
            {"objectives": [{"name": "mcc", "wieght": 1}]},
            "objectives.0.wieght: unknown setting; did you mean weight?",
        ),
        ({"training__steps": "many"}, "training.steps: Input should be a valid integer"),
        (
            {"training__steps": 0},
            "training.steps: Input should be greater than or equal to 1 (got 0)",
        ),
        ({"training__learning_rate": float("inf")}, "training.learning_rate: "),
        (
            {"preprocessing__shorter_side": 32},
            "crop the central 12x12 from images scaled to a shorter side of 32: set"
            " preprocessing.shorter_side too, e.g. 14",
        ),
        ({"device": "tpu"}, "device: Input should be 'auto', 'cpu' or 'cuda' (got 'tpu')"),
        ({"objectives": [{"name": "mccc"}]}, "objectives.0.name: Input should be 'dann'"),
        (
            {"objectives": [{"name": "shot"}, {"name": "mcc"}]},
            "shot trains without source images, but mcc needs them",
        ),
        (
            {"objectives": [{"name": "mcc"}, {"name": "mcc"}]},
            "objectives must be distinct: mcc, mcc",
        ),
        ({"objectives": [{"name": "mcc", "options": {"t": 1}}]}, "has no option 't'"),
    ],
)
def test_invalid_settings_are_reported_on_one_line(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    name = _file(tmp_path, tiny(tmp_path, **changes))
    message = _reason(name)
    assert message.startswith(f"{name}: ")
    assert reason in message


def test_many_mistakes_are_counted(tmp_path: Path) -> None:
    raw = tiny(tmp_path, a=1, b=2, c=3, d=4)
    assert _reason(_file(tmp_path, raw)).endswith("; and 1 more")


def test_invalid_files_are_errors(tmp_path: Path) -> None:
    assert "nowhere.yaml is neither a file nor a recipe; the recipes are digits, " in _reason(
        "nowhere.yaml"
    )
    assert "must be a mapping of settings" in _reason(_file(tmp_path, "- a"))
    assert "is not valid YAML" in _reason(_file(tmp_path, "a: [b\n"))
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    assert "is not valid YAML" in _reason(str(tmp_path / "binary.yaml"))
    name = _file(tmp_path, tiny(tmp_path))
    assert "is not a recipe with domains" in _reason(name, target="b")

import pytest
from pydantic import JsonValue, ValidationError

from rn_model.objectives import (
    CDAN,
    MCC,
    SHOT,
    EntropyCDAN,
    Objective,
    ObjectiveConfig,
    ObjectiveName,
    make_objective,
)


def _make(config: ObjectiveConfig) -> Objective:
    return make_objective(config, num_features=8, num_classes=3, num_target=11)


def test_options_reach_the_objective() -> None:
    objective = _make(ObjectiveConfig(name="mcc", options={"temperature": 3}))
    assert isinstance(objective, MCC)
    assert objective.temperature == 3


def test_sizes_reach_the_objective() -> None:
    shot = _make(ObjectiveConfig(name="shot"))
    cdan = _make(ObjectiveConfig(name="cdan", options={"hidden": 5}))
    assert isinstance(shot, SHOT) and len(shot.pseudo_label) == 11
    assert isinstance(cdan, CDAN)
    shapes = [tuple(parameter.shape) for parameter in cdan.discriminator.parameters()]
    assert shapes == [(5, 24), (5,), (5, 5), (5,), (1, 5), (1,)]


@pytest.mark.parametrize(("name", "entropy"), [("cdan", False), ("cdan+e", True)])
def test_entropy_conditioning_is_in_the_name(name: ObjectiveName, entropy: bool) -> None:
    assert isinstance(_make(ObjectiveConfig(name=name)), EntropyCDAN) == entropy


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "mcc",
            {"temprature": 2.0},
            "objective mcc has no option 'temprature'; its options: temperature (float)",
        ),
        ("bnm", {"x": 1}, "objective bnm has no option 'x'; its options: none"),
        (
            "mcc",
            {"temperature": "hot"},
            "objective mcc, option temperature: invalid value 'hot' (Input should be a valid number); "
            "its options: temperature (float)",
        ),
        ("mcc", {"temperature": 0}, "invalid value 0 (Input should be greater than 0)"),
        ("mcc", {"temperature": True}, "invalid value True"),
        (
            "dann",
            {"hidden": 1.5},
            "invalid value 1.5 (Input should be a valid integer); its options: hidden (int)",
        ),
        ("shot", {"num_target": 3}, "its options: beta (float), diversity (float), rounds (int)"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_one_line(
    name: ObjectiveName, options: dict[str, JsonValue], message: str
) -> None:
    unchecked = ObjectiveConfig.model_construct(name=name, options=options)
    with pytest.raises(ValueError, match="objective") as error:
        _make(unchecked)
    assert message in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(ValidationError) as early:
        ObjectiveConfig.model_validate({"name": name, "options": options})
    (only,) = early.value.errors()
    assert message in only["msg"]


@pytest.mark.parametrize(
    "broken",
    [{"name": "mmc"}, {"name": "mcc", "weight": -1}, {"name": "mcc", "weight": float("nan")}],
)
def test_unknown_names_and_impossible_weights_are_refused(broken: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ObjectiveConfig.model_validate(broken)


def test_a_configuration_survives_json() -> None:
    config = ObjectiveConfig(name="ba3us", weight=0.5, options={"borrowed": 0.1, "hidden": 64})
    assert ObjectiveConfig.model_validate_json(config.model_dump_json()) == config

from pathlib import Path
from typing import Any

import pytest

from rn_model.report.run_files import RunFiles
from rn_model.report.sections.facts import (
    class_names,
    decimal,
    duration,
    facts,
    label_free_scores,
    oracles,
    percent,
    progress,
    title,
)


def _value(name: str, **parts: Any) -> str | None:
    found = {fact.name: fact.value for fact in facts(RunFiles(Path("run"), **parts))}
    return found.get(name)


def test_a_run_without_a_name_is_called_after_its_directory(tmp_path: Path) -> None:
    assert title(RunFiles(tmp_path / "third")) == "third"
    assert title(RunFiles(tmp_path, config={"name": "a"}, result={"name": "b"})) == "b"


@pytest.mark.parametrize(
    ("dataset", "text"),
    [
        ({"name": "amazon", "path": "/data/a/images"}, "amazon"),
        ({"name": "/data/amazon/images"}, "amazon/images"),
        ({"path": "digits/mnist.npz", "split": "train"}, "digits/mnist.npz train"),
        ({"built_in": "printed-digits", "count": 10}, "printed-digits"),
        ([{"name": "dslr"}, {"list": "webcam.txt"}], "dslr, webcam.txt"),
        (None, None),
    ],
)
def test_sets_of_images_have_short_names(dataset: object, text: str | None) -> None:
    assert _value("Source", config={"task": {"source": dataset}}) == text


def test_only_changed_options_of_the_normalization_are_shown() -> None:
    usual = {"kind": "rn", "correlation_scale": 1.0, "gate_floor": 0.5, "groups": None}
    assert _value("Normalization", config={"normalization": usual}) == "rn"
    changed = usual | {"compensation": False, "groups": 8}
    text = _value("Normalization", result={"normalization": changed})
    assert text == "rn (compensation False, groups 8)"


def test_objectives_come_from_the_result_or_the_configuration() -> None:
    assert _value("Objectives", config={"objectives": [{"name": "mcc"}]}) == "mcc"
    assert _value("Objectives", result={"objectives": ["cdan+e", "mcc"]}) == "cdan+e + mcc"
    assert _value("Objectives", result={"objectives": []}) == "source only"


def test_class_names_come_from_any_file_that_has_them() -> None:
    assert class_names(RunFiles(Path("run"), record={"classes": ["a", "b"]})) == ["a", "b"]
    assert class_names(RunFiles(Path("run"), config={"task": {"classes": [1, 2]}})) == ["1", "2"]
    assert class_names(RunFiles(Path("run"))) == []


@pytest.mark.parametrize("scores", [{"information": 0.5, "nuclear_norm": 0.25}, [0.5, 0.25]])
def test_scores_may_be_a_mapping_or_a_pair(scores: object) -> None:
    assert [s.value for s in label_free_scores({"scores": scores})] == ["0.500", "0.250"]


def test_numbers_by_target_labels_are_kept_apart() -> None:
    result = {"source_accuracy": 0.9, "oracle_target_accuracy": 0.8, "test_accuracy": None}
    assert [score.value for score in label_free_scores(result)] == ["90.0%"]
    assert [score.value for score in oracles(result)] == ["80.0%"]


def test_an_unfinished_run_shows_its_progress() -> None:
    entry = {"stage": "adapt", "step": 1200, "steps": 2000}
    text = progress(RunFiles(Path("run"), training=(entry,)))
    assert "the last recorded step is 1,200 of 2,000 of the adaptation" in text
    assert "No training steps" in progress(RunFiles(Path("run")))
    assert progress(RunFiles(Path("run"), training=(entry,), result={"seed": 0})) == ""


def test_numbers_that_are_none_or_not_finite() -> None:
    assert (percent(None), percent(float("nan")), percent(0.125)) == ("", "—", "12.5%")
    assert (decimal(None), decimal(float("inf")), decimal(1)) == ("", "—", "1.000")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5.04, "5.0 s"), (61, "1 min 01 s"), (3725, "1 h 02 min"), (None, ""), (float("nan"), "")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text

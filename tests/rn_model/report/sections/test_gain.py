import dataclasses
from pathlib import Path

import numpy as np
import pytest

from rn_model.report.run_files import RunFiles, read_run
from rn_model.report.sections.gain import gain
from tests.rn_model.report.synthetic import EMOTIONS, OFFICE, make_run


def test_accuracies_before_and_after_in_all_and_by_class(tmp_path: Path) -> None:
    files = read_run(make_run(tmp_path / "run", images=14, layers=2))
    found = gain(files, EMOTIONS)
    assert found is not None and found.labelled
    (overall,) = found.overall
    assert overall.after == files.result["oracle_target_accuracy"]
    assert overall.points == "+20.0"
    true = files.arrays["target_true"]
    for change in found.classes:
        own = true == EMOTIONS.index(change.name)
        correct = files.arrays["before_predicted"] == true
        assert change.images == own.sum()
        assert change.before == correct[own].mean()
        after = files.arrays["target_probability"].argmax(axis=1) == true
        assert change.after == after[own].mean()
    differences = [change.after - change.before for change in found.classes]
    assert differences == sorted(differences) and len(differences) == len(EMOTIONS)


def test_label_free_scores_without_labels(tmp_path: Path) -> None:
    found = gain(read_run(make_run(tmp_path / "run", labels=False, images=14)), EMOTIONS)
    assert found is not None and not found.labelled and found.classes == ()
    assert [change.name for change in found.overall] == [
        *("Information", "Nuclear norm", "Source accuracy")
    ]
    assert found.overall[0].before == 0.55


def test_of_many_classes_those_that_changed_most_are_drawn(tmp_path: Path) -> None:
    found = gain(read_run(make_run(tmp_path / "run", OFFICE, images=14)), OFFICE)
    assert found is not None and len(found.classes) == 31
    assert "24 classes that changed most" in found.chart.caption


def test_losses_have_a_sign_and_unfinished_runs_no_gain(tmp_path: Path) -> None:
    files = read_run(make_run(tmp_path / "run", images=14))
    before = {**files.result["before"], "oracle_target_accuracy": 0.9}
    worse = dataclasses.replace(files, result={**files.result, "before": before})
    found = gain(worse, EMOTIONS)
    assert found is not None and found.overall[0].points[0] == "\N{MINUS SIGN}"
    assert gain(RunFiles(tmp_path), []) is None
    assert gain(dataclasses.replace(files, result={"before": None}), EMOTIONS) is None


def test_arrays_of_different_runs_are_an_error(tmp_path: Path) -> None:
    files = read_run(make_run(tmp_path / "run", images=14))
    arrays = {**files.arrays, "before_predicted": np.zeros(3, dtype=np.int64)}
    with pytest.raises(ValueError, match="differ in length"):
        gain(dataclasses.replace(files, arrays=arrays), EMOTIONS)

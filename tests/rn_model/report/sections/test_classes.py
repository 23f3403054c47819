import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix
from sklearn.metrics import precision_recall_fscore_support as per_class

from rn_model.report.sections.classes import ClassReport, class_report


def _report(probability: object, true: object, names: tuple[str, ...] = ()) -> ClassReport:
    arrays = {"target_probability": np.array(probability), "target_true": np.array(true)}
    report = class_report(arrays, names)
    assert report is not None
    return report


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.integers(1, 60), st.floats(0, 1))
def test_the_numbers_are_those_of_scikit_learn(
    seed: int, classes: int, images: int, unknown: float
) -> None:
    generator = np.random.default_rng(seed)
    probability = generator.dirichlet(np.ones(classes), size=images)
    true = generator.integers(classes, size=images)
    hidden = np.where(generator.random(images) < unknown, -1, true)
    report = _report(probability, hidden)
    known = hidden >= 0
    assert report.labelled == known.sum() and report.images == images
    if not known.any():
        assert np.isnan(report.accuracy) and np.isnan(report.mean_recall)
        return
    pair = true[known], probability.argmax(axis=1)[known]
    everything = list(range(classes))
    np.testing.assert_array_equal(report.confusion, confusion_matrix(*pair, labels=everything))
    assert report.accuracy == pytest.approx(accuracy_score(*pair))
    precision, recall, _, support = per_class(*pair, labels=everything, zero_division=np.nan)
    np.testing.assert_allclose(report.recall, recall)
    np.testing.assert_allclose(report.precision, precision)
    assert report.mean_recall == pytest.approx(recall[support > 0].mean())


def test_confidence_is_the_mean_maximum_probability_by_predicted_class() -> None:
    report = _report([[0.9, 0.1], [0.7, 0.3]], [-1, -1], ("cat", "dog"))
    assert report.mean_confidence == pytest.approx(0.8)
    assert report.confidence[0] == pytest.approx(0.8) and np.isnan(report.confidence[1])
    assert [row.name for row in report.rows()] == ["cat", "dog"]
    assert [row.share for row in report.rows()] == [1.0, 0.0]


def test_rows_begin_with_the_worst_recall_and_end_with_classes_without_images() -> None:
    report = _report(np.eye(4)[[0, 1, 1, 0]], [0, 0, 1, 2], ("a", "b", "c", "d"))
    assert [row.name for row in report.rows()] == ["c", "a", "b", "d"]


def test_the_largest_confusions_come_first_with_their_share_of_the_true_class() -> None:
    report = _report(np.eye(3)[[1, 1, 0, 2, 1]], [0, 0, 0, 1, 1], ("a", "b", "c"))
    assert report.largest_confusions() == [("a", "b", 2, pytest.approx(2 / 3)), ("b", "c", 1, 0.5)]
    assert len(report.largest_confusions(1)) == 1


def test_numbers_stand_for_names_that_do_not_fit() -> None:
    assert _report([[1.0, 0.0]], [0], ("one",)).names == ("0", "1")


def test_without_predictions_there_is_no_report() -> None:
    assert class_report({}, ()) is None
    assert class_report({"target_probability": np.zeros((0, 3))}, ()) is None


def test_inconsistent_arrays_are_an_error() -> None:
    with pytest.raises(ValueError, match="2 classes below 3"):
        _report(np.eye(3)[:2], [0, 3])
    with pytest.raises(ValueError, match="2 classes below 3"):
        _report(np.eye(3)[:2], [0])
    with pytest.raises(ValueError, match="finite"):
        _report([[np.nan, 1.0]], [0])

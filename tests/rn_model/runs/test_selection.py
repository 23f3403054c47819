import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bundle.scores import Scores
from rn_model.runs.proportion import Proportion
from rn_model.runs.selection import (
    Candidate,
    agreements,
    choose,
    mean_score,
    score_predictions,
    source_tolerance,
)


def _candidate(score: float, source_accuracy: float) -> Candidate:
    return Candidate(Scores(score, score), source_accuracy)


def test_certain_and_diverse_predictions_score_1() -> None:
    assert mean_score(score_predictions(torch.eye(4).repeat(3, 1))) == pytest.approx(1)


def test_one_class_for_all_has_no_information() -> None:
    one_class = torch.tensor([[1.0, 0.0, 0.0, 0.0]]).repeat(8, 1)
    scores = score_predictions(one_class)
    assert scores.information == pytest.approx(0)
    assert scores.nuclear_norm == pytest.approx(0.5)


def test_the_best_score_wins() -> None:
    candidates = {"a": _candidate(0.5, 0.9), "b": _candidate(0.7, 0.9), "c": _candidate(0.6, 0.9)}
    assert choose(candidates) == "b"


def test_unless_it_lost_the_source() -> None:
    candidates = {"a": _candidate(0.5, 0.95), "b": _candidate(0.9, 0.90)}
    assert choose(candidates) == "a"
    assert choose(candidates, tolerance=0.06) == "b"


def test_of_equals_the_first_wins() -> None:
    assert choose({"a": _candidate(0.5, 0.9), "b": _candidate(0.5, 0.9)}) == "a"


def test_no_candidate_is_an_error() -> None:
    with pytest.raises(ValueError, match="no candidate"):
        choose({})


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=3),
        st.tuples(st.floats(0, 1), st.floats(0, 1)),
        min_size=1,
        max_size=6,
    ),
    st.floats(0, 1),
)
def test_the_choice_respects_the_floor(
    values: dict[str, tuple[float, float]], tolerance: float
) -> None:
    candidates = {name: _candidate(*value) for name, value in values.items()}
    chosen = candidates[choose(candidates, tolerance=tolerance)]
    floor = max(candidate.source_accuracy for candidate in candidates.values()) - tolerance
    assert chosen.source_accuracy >= floor


def test_a_probe_chooses_instead_of_the_scores() -> None:
    def candidate(score: float, correct: int, source_accuracy: float = 0.9) -> Candidate:
        probe = Proportion(correct=correct, images=20)
        return Candidate(Scores(score, score), source_accuracy, probe)

    assert choose({"a": candidate(0.9, 8), "b": candidate(0.2, 11, 0.5)}) == "b"
    assert choose({"a": candidate(0.2, 11), "b": candidate(0.3, 11), "c": candidate(0.9, 8)}) == "b"
    unprobed = Candidate(Scores(0.5, 0.5), 0.9)
    assert choose({"a": candidate(0.9, 8), "b": candidate(0.2, 11), "c": unprobed}) == "a"


def test_agreement_counts_images_and_needs_the_same_ones() -> None:
    sure, unsure = np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([[0.3, 0.7], [0.6, 0.4]])
    assert agreements({"a": sure, "b": unsure}) == {"a": 1.0, "b": 0.5}
    with pytest.raises(ValueError, match="the same images"):
        agreements({"a": sure, "b": unsure[:1]})
    with pytest.raises(ValueError, match="the same images"):
        agreements({"a": sure[:0]})


def test_agreement_outweighs_a_better_score() -> None:
    certain = Candidate(Scores(0.9, 0.8), 0.9, agreement=0.5)
    shared = Candidate(Scores(0.5, 0.6), 0.9, agreement=0.9)
    assert choose({"certain": certain, "shared": shared}) == "shared"


@pytest.mark.parametrize(("images", "expected"), [(None, 0.02), (10**9, 0.02), (200, 0.05)])
def test_few_images_excuse_a_larger_loss_of_the_source(images: int | None, expected: float) -> None:
    assert source_tolerance(0.9, images) == pytest.approx(expected, abs=1e-4)

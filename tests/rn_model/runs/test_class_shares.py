import numpy as np
import pytest

from rn_model.runs.class_shares import ClassShares, estimate_class_shares

CONFUSION = np.array([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.05, 0.05, 0.9]])


def _predictions(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Certain predictions that confuse the classes as CONFUSION says, whatever the domain."""
    return np.eye(3)[[generator.choice(3, p=CONFUSION[label]) for label in labels]]


def test_shares_are_estimated_through_the_errors_of_the_network() -> None:
    generator = np.random.default_rng(0)
    held = np.arange(3000) % 3
    true = np.array([0.1, 0.2, 0.7])
    target = generator.choice(3, size=3000, p=true)
    predictions = _predictions(target, generator)
    found = estimate_class_shares(
        np.repeat([0, 1, 2], [200, 100, 100]), (_predictions(held, generator), held), predictions
    )
    assert found.source == (0.5, 0.25, 0.25)
    assert found.target == pytest.approx(true, abs=0.04)
    assert abs(predictions.mean(axis=0) - true).max() > 0.05
    assert found.distance == pytest.approx(0.45, abs=0.04)
    assert found.differ


def test_a_class_that_was_not_held_out_counts_as_predicted() -> None:
    probability = np.eye(2)[[0, 0, 1, 1]]
    held = np.eye(2)[[0]], np.array([0])
    found = estimate_class_shares(np.array([0, 1]), held, probability)
    assert found.target == pytest.approx((0.5, 0.5), abs=1e-4)


def test_chance_is_not_a_difference() -> None:
    generator = np.random.default_rng(1)
    source = np.full(20, 1 / 20)
    draws = generator.multinomial(60, source, size=200) / 60
    drawn = [
        ClassShares(source=tuple(source), target=tuple(draw), images=60).distance for draw in draws
    ]
    found = ClassShares(source=tuple(source), target=tuple(draws[0]), images=60)
    assert found.by_chance == pytest.approx(np.mean(drawn), rel=0.1)
    assert (
        found.distance > 0.15 and not found.differ and found.warning("abcdefghijklmnopqrst") is None
    )


def test_the_warning_names_the_classes_that_differ_most() -> None:
    found = ClassShares(source=(0.5, 0.3, 0.1, 0.1), target=(0.1, 0.3, 0.15, 0.45), images=1000)
    warning = found.warning(["person", "dog", "cat", "house"])
    assert warning is not None and "differ by 40%" in warning
    assert "(most: person 50% and 10%, house 10% and 45%, cat 10% and 15%)" in warning

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from rn_model.objectives import centroid_labels
from tests.rn_model.objectives.numerics import Rows, normal


def _cosine(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))


def _nearest(features: Rows, weights: Rows) -> list[int]:
    centroids = {}
    for k in range(len(weights[0])):
        total = sum(row[k] for row in weights)
        if total > 0:
            centroids[k] = [
                sum(w[k] * f[d] for w, f in zip(weights, features, strict=True)) / total
                for d in range(len(features[0]))
            ]
    return [max(centroids, key=lambda k: _cosine(row, centroids[k])) for row in features]


def _by_the_formula(features: Rows, probability: Rows, rounds: int) -> list[int]:
    labels = _nearest(features, probability)
    for _ in range(rounds):
        one_hot = [[float(label == k) for k in range(len(probability[0]))] for label in labels]
        labels = _nearest(features, one_hot)
    return labels


@given(st.integers(2, 15), st.integers(2, 6), st.integers(0, 3), st.integers(0, 1000))
def test_labels_are_the_formulas(images: int, classes: int, rounds: int, seed: int) -> None:
    features = normal(images, 4, seed=seed)
    probability = torch.softmax(normal(images, classes, seed=seed + 1, scale=3), dim=1)
    labels = centroid_labels(features, probability, rounds)
    assert labels.dtype == torch.int64
    assert labels.tolist() == _by_the_formula(features.tolist(), probability.tolist(), rounds)


def test_hard_centroids_differ_from_weighted_ones() -> None:
    def labels(rounds: int) -> list[list[int]]:
        probability = torch.softmax(normal(12, 3, seed=9), dim=1)
        sets = [normal(12, 2, seed=seed) for seed in range(20)]
        return [centroid_labels(features, probability, rounds).tolist() for features in sets]

    assert labels(0) != labels(1)


def test_groups_of_directions_are_told_apart_whatever_their_lengths() -> None:
    features = torch.tensor([[1.0, 0.0], [50.0, 1.0], [0.0, 1.0], [1.0, 50.0]])
    probability = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.55, 0.45]])
    assert centroid_labels(features, probability).tolist() == [0, 0, 1, 1]


def test_a_class_without_images_is_never_given() -> None:
    features = normal(6, 3, seed=4)
    probability = torch.tensor([[0.7, 0.3, 0.0]] * 3 + [[0.3, 0.7, 0.0]] * 3, dtype=torch.float64)
    assert 2 not in centroid_labels(features, probability).tolist()


def test_an_image_without_features_still_gets_a_label() -> None:
    labels = centroid_labels(torch.zeros(2, 3), torch.full((2, 4), 0.25))
    assert all(0 <= label < 4 for label in labels.tolist())

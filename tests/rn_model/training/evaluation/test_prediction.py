from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bundle.preprocessing import Pixels, Preprocessing
from rn_model.data.sets import Indices
from rn_model.data.tensors import to_input
from rn_model.layers.domain_norm import domain_norms
from rn_model.layers.domains import DOMAINS, Domain, other_domain
from rn_model.training.evaluation.prediction import Predictions, predict
from rn_model.training.evaluation.reader import Reader, spread
from tests.networks import SMALL, random_images, small_model


class _Images:
    """Pixels and labels in memory."""

    def __init__(self, pixels: Pixels) -> None:
        self._pixels = pixels
        self.name = "images"
        self.fingerprint = ""
        self.classes: tuple[str, ...] | None = tuple(SMALL.classes)
        self.labels: Indices | None = np.arange(len(pixels), dtype=np.int64) % 3

    def __len__(self) -> int:
        return len(self._pixels)

    def read(self, indices: Sequence[int]) -> Pixels:
        return self._pixels[list(indices)]

    def through(self, preprocessing: Preprocessing) -> "_Images":
        return self


@given(st.integers(1, 500), st.integers(1, 500))
def test_indices_are_spread_evenly(count: int, most: int) -> None:
    indices = spread(count, most)
    assert len(indices) == min(count, most) == len(set(indices))
    assert indices == sorted(indices) and indices[0] == 0 and indices[-1] < count
    gaps = np.diff([*indices, count])
    assert gaps.max() - gaps.min() <= 1


def test_accuracy_counts_known_labels_only() -> None:
    probability = torch.eye(3)[[0, 1, 2, 2]]
    features = torch.zeros(4, 1)
    assert Predictions(features, probability, torch.tensor([0, 2, -1, -1])).accuracy == 0.5
    assert Predictions(features, probability, torch.full((4,), -1)).accuracy is None


@pytest.mark.parametrize("branch", DOMAINS)
def test_predictions_are_the_branchs_and_leave_the_model_as_it_was(branch: Domain) -> None:
    model = small_model()
    pixels = random_images(SMALL, 300)
    indices = [5, 299, 0, *range(20, 290)]
    with torch.no_grad():
        for _, layer in domain_norms(model):
            layer.branch = branch
        expected = model.eval()(to_input(torch.from_numpy(pixels[indices]), SMALL.preprocessing))
        for _, layer in domain_norms(model):
            layer.branch = other_domain(branch)
    other = {layer.branch for _, layer in domain_norms(model)}
    model.train()
    model.hidden.eval()
    reader = Reader(SMALL.preprocessing, torch.device("cpu"))
    found = predict(model, _Images(pixels), indices, reader, branch)
    torch.testing.assert_close(found.probability, expected.softmax(dim=1), rtol=1e-4, atol=1e-6)
    with torch.no_grad():
        torch.testing.assert_close(
            model.head(found.features).softmax(dim=1), found.probability, rtol=1e-4, atol=1e-6
        )
    assert found.labels.tolist() == [index % 3 for index in indices]
    assert {layer.branch for _, layer in domain_norms(model)} == other
    assert model.training and model.norm.training and not model.hidden.training


def test_a_reading_can_be_stopped_before_a_batch() -> None:
    class Enough(Exception):
        pass

    def stop() -> None:
        raise Enough

    model = small_model().train()
    before = [layer.branch for _, layer in domain_norms(model)]
    reader = Reader(SMALL.preprocessing, torch.device("cpu"), before_batch=stop)
    with pytest.raises(Enough):
        predict(model, _Images(random_images(SMALL, 4)), range(4), reader, "source")
    assert all(module.training for module in model.modules())
    assert [layer.branch for _, layer in domain_norms(model)] == before

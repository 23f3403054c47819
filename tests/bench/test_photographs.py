import numpy as np
import pytest

from bench.photograph_tasks import _drawn, draw
from bench.photographs import probe_regrets
from bundle.scores import Scores
from rn_model.runs.selection import Candidate


def test_a_drawing_is_white_with_dark_lines_at_edges() -> None:
    photograph = np.zeros((1, 16, 16, 3), np.uint8)
    photograph[:, :, 8:] = 200
    drawing = draw(photograph)
    assert drawing.shape == photograph.shape and drawing.dtype == np.uint8
    assert (drawing[0, :, :4] == 255).all() and (drawing[0, :, 12:] == 255).all()
    assert (drawing[0, :, 7:9] < 50).all()


def test_drawn_images_have_the_shares() -> None:
    labels = np.repeat(np.arange(3), 100)
    chosen = _drawn(labels, np.array([4.0, 2.0, 1.0]), count=70)
    assert len(set(chosen)) == 70
    assert np.bincount(labels[chosen]).tolist() == [40, 20, 10]


def test_the_more_labels_the_less_is_lost() -> None:
    generator = np.random.default_rng(0)
    correct = generator.uniform(size=(2, 400)) < np.array([[0.5], [0.8]])
    # Without labels, the worse one would be chosen.
    candidates = [Candidate(Scores(0.9, 0.9), 0.9), Candidate(Scores(0.2, 0.2), 0.9)]
    lost = [np.mean(probe_regrets(candidates, correct, labels)) for labels in (1, 10, 400)]
    assert lost[0] > lost[1] > lost[2] == 0
    assert lost[0] == pytest.approx((1 - 0.8 * 0.5) * 0.3, abs=0.06)

from pathlib import Path

import numpy as np
import torch

from rn_model.training.context import open_context
from rn_model.training.evaluation.prediction import Predictions
from rn_model.training.evaluation.reader import spread
from rn_model.training.records.pictures import GROUPS, sample_pictures
from tests.rn_model.training.running import config, tiny


def test_the_most_confident_of_each_class_and_the_least_certain(tmp_path: Path) -> None:
    task = open_context(config(tiny(tmp_path)), tmp_path).task
    confidence = torch.linspace(0.55, 0.95, 24)
    predicted = (torch.arange(24) >= 4).long()  # the four least confident are of class 0
    probability = torch.stack([confidence, 1 - confidence, torch.zeros(24)], dim=1)
    probability = torch.where(predicted[:, None] == 1, probability[:, [1, 0, 2]], probability)
    labels = torch.arange(24) % 3
    found = sample_pictures(task, Predictions(torch.zeros(24, 1), probability, labels), 3)
    groups = np.array(GROUPS)[found["picture_group"]]
    assert groups.tolist() == [
        name for name in ("source", "target", "confident", "uncertain") for _ in range(3)
    ]
    best, least = groups == "confident", groups == "uncertain"
    assert found["picture_predicted"][best].tolist() == [1, 1, 0]
    np.testing.assert_allclose(found["picture_confidence"][best][0], 0.95, rtol=1e-6)
    images = spread(len(task.target), 24)
    expected = task.target.read([images[place] for place in (23, 22, 3)])
    np.testing.assert_array_equal(found["picture"][best], expected)
    worst = probability.max(dim=1).values.argsort()[:3]
    assert found["picture_true"][least].tolist() == labels[worst].tolist()
    assert sample_pictures(task, Predictions(torch.zeros(24, 1), probability, labels), 0) == {}


def test_large_images_become_small(tmp_path: Path) -> None:
    raw = tiny(tmp_path, preprocessing__height=150, preprocessing__width=75)
    task = open_context(config(raw), tmp_path).task
    probability = torch.eye(3)[torch.arange(len(task.target)) % 3]
    labels = torch.full((len(task.target),), -1)
    predictions = Predictions(torch.zeros(len(labels), 1), probability, labels)
    found = sample_pictures(task, predictions, 2)
    assert found["picture"].shape == (8, 96, 48, 1)

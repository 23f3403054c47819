import math

import pytest
import torch

from rn_model.objectives import DomainDiscriminator, domain_loss
from tests.rn_model.objectives.numerics import Rows, gradient, normal, sigmoid, slopes

SOURCE, IMAGES = 2, 5
WEIGHT = [0.5, 2.0, 1.0, 0.0, 3.0]


def _by_the_formula(rows: Rows, weight: list[float]) -> float:
    losses = [
        -math.log(sigmoid(x) if i < SOURCE else 1 - sigmoid(x)) for i, (x,) in enumerate(rows)
    ]
    source = sum(w * x for w, x in zip(weight[:SOURCE], losses[:SOURCE], strict=True))
    target = sum(w * x for w, x in zip(weight[SOURCE:], losses[SOURCE:], strict=True))
    return (source / sum(weight[:SOURCE]) + target / sum(weight[SOURCE:])) / 2


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_value_and_gradient_are_the_formulas(weight: list[float] | None) -> None:
    logit = normal(IMAGES, 1, scale=2)
    tensor = None if weight is None else torch.tensor(weight, dtype=torch.float64)
    numbers = weight or [1.0] * IMAGES

    loss = domain_loss(logit[:, 0], SOURCE, tensor)
    assert loss.item() == pytest.approx(_by_the_formula(logit.tolist(), numbers), rel=1e-12)
    found = gradient(lambda x: domain_loss(x[:, 0], SOURCE, tensor), logit)
    expected = slopes(lambda rows: _by_the_formula(rows, numbers), logit)
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)


def test_a_domain_without_weight_counts_nothing() -> None:
    weight = torch.tensor([0.0, 0.0, 1.0])
    loss = domain_loss(torch.tensor([-50.0, -50.0, 0.0]), 2, weight)
    assert loss.item() == pytest.approx(math.log(2) / 2)


def test_discriminator_gives_one_logit_an_image() -> None:
    discriminator = DomainDiscriminator(3, hidden=8)
    assert discriminator(torch.zeros(4, 3)).shape == (4,)

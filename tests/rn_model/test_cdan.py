import math

import pytest
import torch
from torch import Tensor, nn

from rn_model.objectives import ConditionalDiscriminator, cdan_loss, multilinear_map

SOURCE, IMAGES, FEATURES, CLASSES = 2, 5, 3, 4


class _Linear(nn.Module):
    """A discriminator simple enough to compute by hand."""

    def __init__(self) -> None:
        super().__init__()
        count = FEATURES * CLASSES
        self.weight = nn.Parameter(torch.linspace(-1, 1, count, dtype=torch.float64))

    def forward(self, joint: Tensor) -> Tensor:
        return joint @ self.weight


def _inputs() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(IMAGES, FEATURES, generator=generator, dtype=torch.float64)
    logits = torch.randn(IMAGES, CLASSES, generator=generator, dtype=torch.float64)
    return features, 2 * logits


def _probabilities(row: list[float]) -> list[float]:
    powers = [math.exp(value) for value in row]
    return [power / sum(powers) for power in powers]


def _weights(logits: list[list[float]]) -> list[float]:
    rows = [_probabilities(row) for row in logits]
    return [1 + math.exp(sum(p * math.log(p) for p in row)) for row in rows]


def _by_the_formula(
    features: list[list[float]],
    logits: list[list[float]],
    discriminator: list[float],
    weights: list[float],
) -> float:
    losses = []
    for i, (f, z) in enumerate(zip(features, logits, strict=True)):
        joint = [p * value for p in _probabilities(z) for value in f]
        d = 1 / (1 + math.exp(-sum(w * x for w, x in zip(discriminator, joint, strict=True))))
        losses.append(-math.log(d) if i < SOURCE else -math.log(1 - d))
    source = sum(w * loss for w, loss in zip(weights[:SOURCE], losses[:SOURCE], strict=True))
    target = sum(w * loss for w, loss in zip(weights[SOURCE:], losses[SOURCE:], strict=True))
    return (source / sum(weights[:SOURCE]) + target / sum(weights[SOURCE:])) / 2


def _slopes(rows: list[list[float]], others: tuple[list[list[float]], ...], first: bool) -> Tensor:
    features, logits = (rows, others[0]) if first else (others[0], rows)
    weights, discriminator = _weights(logits), _Linear().weight.tolist()
    slopes = torch.zeros(len(rows), len(rows[0]), dtype=torch.float64)
    step = 1e-5
    for i, row in enumerate(rows):
        for k, value in enumerate(list(row)):
            row[k] = value + step
            above = _by_the_formula(features, logits, discriminator, weights)
            row[k] = value - step
            below = _by_the_formula(features, logits, discriminator, weights)
            row[k] = value
            slopes[i, k] = (above - below) / (2 * step)
    return slopes


def test_value_is_the_formulas() -> None:
    features, logits = _inputs()
    discriminator = _Linear()
    expected = _by_the_formula(
        features.tolist(), logits.tolist(), discriminator.weight.tolist(), _weights(logits.tolist())
    )
    loss = cdan_loss(discriminator, features, logits, source=SOURCE)
    assert loss.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("strength", [0.0, 0.7])
def test_gradient_into_the_network_is_reversed(strength: float) -> None:
    features, logits = (value.requires_grad_() for value in _inputs())
    loss = cdan_loss(_Linear(), features, logits, source=SOURCE, strength=strength)
    loss.backward()  # type: ignore[no-untyped-call]
    by_feature = _slopes(features.tolist(), (logits.tolist(),), first=True)
    by_logit = _slopes(logits.tolist(), (features.tolist(),), first=False)
    torch.testing.assert_close(features.grad, -strength * by_feature, atol=1e-9, rtol=0)
    torch.testing.assert_close(logits.grad, -strength * by_logit, atol=1e-9, rtol=0)


def test_gradient_into_the_discriminator_is_not() -> None:
    features, logits = _inputs()
    discriminator = _Linear()
    loss = cdan_loss(discriminator, features, logits, source=SOURCE, strength=0.5)
    loss.backward()  # type: ignore[no-untyped-call]
    assert discriminator.weight.grad is not None
    values, step = discriminator.weight.tolist(), 1e-5
    weights = _weights(logits.tolist())
    for k, value in enumerate(list(values)):
        values[k] = value + step
        above = _by_the_formula(features.tolist(), logits.tolist(), values, weights)
        values[k] = value - step
        below = _by_the_formula(features.tolist(), logits.tolist(), values, weights)
        values[k] = value
        slope = (above - below) / (2 * step)
        assert discriminator.weight.grad[k].item() == pytest.approx(slope, abs=1e-9)


def test_multilinear_map_is_every_product() -> None:
    joint = multilinear_map(torch.tensor([[2.0, 3.0]]), torch.tensor([[0.1, 0.2, 0.7]]))
    torch.testing.assert_close(joint, torch.tensor([[0.2, 0.3, 0.4, 0.6, 1.4, 2.1]]))


def test_discriminator_gives_one_logit_an_image() -> None:
    discriminator = ConditionalDiscriminator(FEATURES, CLASSES, hidden=8)
    assert discriminator(torch.zeros(IMAGES, FEATURES * CLASSES)).shape == (IMAGES,)


@pytest.mark.parametrize("source", [0, IMAGES])
def test_needs_both_domains(source: int) -> None:
    with pytest.raises(ValueError, match="both domains"):
        cdan_loss(_Linear(), *_inputs(), source=source)

import math

import pytest
import torch
from torch import Tensor, nn

from rn_model.objectives import (
    CDAN,
    ConditionalDiscriminator,
    EntropyCDAN,
    MultilinearMap,
    cdan_loss,
    domain_loss,
    reversal_strength,
)
from tests.rn_model.objectives.numerics import make_batch

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


@pytest.mark.parametrize("entropy", [True, False])
def test_only_entropy_conditioning_weights_images(entropy: bool) -> None:
    features, logits = _inputs()
    weights = _weights(logits.tolist()) if entropy else [1.0] * IMAGES
    discriminator = _Linear()
    numbers: list[float] = discriminator.weight.tolist()
    expected = _by_the_formula(features.tolist(), logits.tolist(), numbers, weights)
    loss = cdan_loss(discriminator, features, logits, source=SOURCE, entropy=entropy)
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_other_joint_maps_take_the_place_of_the_outer_product() -> None:
    torch.manual_seed(0)
    joint_map = MultilinearMap(100, 50, size=FEATURES * CLASSES)
    features, logits = torch.randn(IMAGES, 100).double(), torch.randn(IMAGES, 50).double()
    with torch.no_grad():
        domain_logit = _Linear()(joint_map(features, torch.softmax(logits, dim=1)))
    expected = domain_loss(domain_logit, SOURCE)
    loss = cdan_loss(_Linear(), features, logits, source=SOURCE, entropy=False, joint_map=joint_map)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)


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


def test_the_gradient_may_be_kept_from_the_predictions() -> None:
    features, logits = (value.requires_grad_() for value in _inputs())
    whole = cdan_loss(_Linear(), features, logits, source=SOURCE)
    part = cdan_loss(_Linear(), features, logits, source=SOURCE, through_predictions=False)
    assert part.item() == whole.item()
    (expected,) = torch.autograd.grad(whole, features)
    found, none = torch.autograd.grad(part, (features, logits), allow_unused=True)
    assert torch.equal(found, expected) and none is None
    objective = EntropyCDAN(6, 5, hidden=7, through_predictions=False)
    batch = make_batch(3, 4, progress=0.2)
    assert torch.autograd.grad(objective(batch), batch.logits, allow_unused=True) == (None,)


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


def test_discriminator_gives_one_logit_an_image() -> None:
    discriminator = ConditionalDiscriminator(FEATURES, CLASSES, hidden=8)
    assert discriminator(torch.zeros(IMAGES, FEATURES * CLASSES)).shape == (IMAGES,)


@pytest.mark.parametrize("source", [0, IMAGES])
def test_needs_both_domains(source: int) -> None:
    with pytest.raises(ValueError, match="both domains"):
        cdan_loss(_Linear(), *_inputs(), source=source)


@pytest.mark.parametrize(("kind", "entropy"), [(CDAN, False), (EntropyCDAN, True)])
def test_objective_reverses_by_progress(kind: type[CDAN], entropy: bool) -> None:
    torch.manual_seed(0)
    objective = kind(6, 5, hidden=7).double()
    batch = make_batch(3, 4, progress=0.2, double=True)
    expected = cdan_loss(
        objective.discriminator,
        batch.features,
        batch.logits,
        source=3,
        strength=reversal_strength(0.2),
        entropy=entropy,
    )
    loss = objective(batch)
    assert loss.item() == expected.item()
    for value in (batch.features, batch.logits):
        (found,) = torch.autograd.grad(loss, value, retain_graph=True)
        (wanted,) = torch.autograd.grad(expected, value, retain_graph=True)
        torch.testing.assert_close(found, wanted)

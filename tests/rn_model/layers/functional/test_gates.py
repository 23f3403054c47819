import pytest
import torch

from rn_model.layers.functional import (
    project_gate,
    reciprocal_aggregation,
    reciprocal_compensation,
)


@pytest.mark.parametrize("gate", [-1e8, -3.0, 0.2, 0.5, 0.77, 1.0, 1.7, 1e8])
def test_a_gate_acts_as_its_nearest_value_in_range(gate: float) -> None:
    raw = torch.full((2,), gate, requires_grad=True)
    inside = project_gate(raw)
    assert torch.equal(inside, raw.detach().clamp(0.5, 1.0))
    (gradient,) = torch.autograd.grad(inside.sum(), raw)
    assert torch.equal(gradient, torch.ones(2))
    assert torch.equal(project_gate(raw, 0.0), raw.detach().clamp(0.0, 1.0))
    own, other = torch.tensor([1e-3, 2.0]), torch.tensor([50.0, 7.0])
    assert (reciprocal_aggregation(own, reciprocal_compensation(own, other), raw) > 0).all()

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rn_model.objectives import reversal_strength, reverse_gradient


@given(st.floats(0, 10))
def test_values_pass_and_gradients_turn(strength: float) -> None:
    x = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)
    y = reverse_gradient(x, strength)
    assert y.tolist() == [1.0, -2.0]
    (y * torch.tensor([3.0, 5.0])).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert x.grad.tolist() == [-3 * strength, -5 * strength]


def test_strength_grows_from_0_towards_1() -> None:
    assert reversal_strength(0) == 0
    assert reversal_strength(0.1) == pytest.approx(0.46211715726)
    assert reversal_strength(1) == pytest.approx(0.9999092)

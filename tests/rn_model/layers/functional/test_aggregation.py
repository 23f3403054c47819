import torch

from rn_model.layers.functional import reciprocal_aggregation, reciprocal_compensation


def test_a_gate_of_one_leaves_the_moment_as_it_is() -> None:
    own, other = torch.randn(2, 64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(
        reciprocal_aggregation(own, reciprocal_compensation(own, other), torch.ones(64)), own
    )

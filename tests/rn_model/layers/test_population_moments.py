from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from rn_model import ReciprocalNorm2d, domain_norms
from rn_model.layers.domains import DOMAINS, Domain
from rn_model.layers.population_moments import estimate_moments
from tests.networks import shake, small_model

# Ordered from dark to bright, so that no batch is representative.
IMAGES = torch.rand(23, 1, 8, 6, generator=torch.Generator().manual_seed(0)) * torch.linspace(
    0.1, 5, 23
).view(-1, 1, 1, 1)


def in_parts(*sizes: int) -> Callable[[], tuple[Tensor, ...]]:
    return lambda: torch.split(IMAGES, list(sizes))


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("sizes", [(23,), (10, 10, 3), (1, 21, 1)])
def test_the_first_layer_gets_the_moments_of_all_the_data(
    domain: Domain, sizes: tuple[int, ...]
) -> None:
    model = small_model()
    other = {
        name: value.clone() for name, value in model.named_buffers() if not name.endswith(domain)
    }
    assert estimate_moments(model, in_parts(*sizes), domain, passes=1) == 23
    with torch.no_grad():
        variance, mean = torch.var_mean(model.conv(IMAGES), (0, 2, 3), correction=0)
    found = next(iter(domain_norms(model)))[1]
    torch.testing.assert_close(tuple(found.running(domain)), (mean, variance))
    assert int(getattr(found, f"num_images_{domain}")) == 23
    for name, value in model.named_buffers():
        if name in other:
            assert torch.equal(value, other[name])


def test_the_found_moments_reproduce_themselves() -> None:
    model = small_model()
    distances = []
    for passes in (1, 2, 4):
        estimate_moments(model, in_parts(5, 7, 11), "target", passes=passes)
        before = [torch.cat(layer.running("target")) for _, layer in domain_norms(model)]
        inputs: list[Tensor] = []
        handles = [
            layer.register_forward_pre_hook(lambda _, args, inputs=inputs: inputs.append(args[0]))
            for _, layer in domain_norms(model)
        ]
        with torch.no_grad():
            model(IMAGES)
        for handle in handles:
            handle.remove()
        distance = 0.0
        for x, moments in zip(inputs, before, strict=True):
            dims = [0, *range(2, x.dim())]
            variance, mean = torch.var_mean(x, dims, correction=0)
            distance = max(distance, float((torch.cat([mean, variance]) - moments).abs().max()))
        distances.append(distance)
    assert distances[0] > 1e-3  # batches normalized with their own moments give other values
    assert distances[-1] < 1e-5


def test_every_module_keeps_its_mode_and_weights() -> None:
    model = small_model().train()
    model.norm.eval()
    modes = [module.training for module in model.modules()]
    weights = [parameter.clone() for parameter in model.parameters()]
    estimate_moments(model, in_parts(23), "target")
    assert [module.training for module in model.modules()] == modes
    assert all(map(torch.equal, model.parameters(), weights))
    assert all(layer.observation is None for _, layer in domain_norms(model))


def test_no_data_and_no_pass_are_refused() -> None:
    model = small_model()
    with pytest.raises(ValueError, match="no source images"):
        estimate_moments(model, list, "source")
    with pytest.raises(ValueError, match="passes must be at least 1, not 0"):
        estimate_moments(model, in_parts(23), "source", passes=0)


def test_a_layer_that_does_not_take_part_is_an_error() -> None:
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.idle = ReciprocalNorm2d(1), ReciprocalNorm2d(1)

        def forward(self, x: Tensor) -> Tensor:
            result: Tensor = self.used(x)
            return result

    model = Idle()
    shake(model)
    with pytest.raises(RuntimeError, match="was not used in the forward pass"):
        estimate_moments(model, in_parts(23), "target")
    assert model.used.observation is None

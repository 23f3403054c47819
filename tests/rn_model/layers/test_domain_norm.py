import copy

import pytest
import torch
from torch import Tensor, nn

from rn_model import (
    ReciprocalNorm1d,
    ReciprocalNorm2d,
    convert_normalization,
    domain_norms,
    domain_split,
    set_branch,
)
from rn_model.layers.domains import DOMAINS, Domain
from rn_model.layers.moments import Moments, merge_moments, weighted_moments
from rn_model.layers.observation import Observation
from tests.networks import SmallNet, shake, small_model


def batches(count: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(7, 3, 2, 2, generator=generator, dtype=torch.float64) + i for i in range(count)
    ]


@pytest.mark.parametrize("momentum", [0.1, None])
def test_running_moments_are_raw_averages_of_each_domain(momentum: float | None) -> None:
    layer = ReciprocalNorm2d(3, momentum=momentum, dtype=torch.float64)
    with torch.no_grad():
        for gate in (*layer.gates("source"), *layer.gates("target")):
            gate.fill_(0.6)
    expected = {domain: (torch.zeros(3), torch.ones(3)) for domain in DOMAINS}
    for number, x in enumerate(batches(4), start=1):
        with domain_split(layer, source=4, target=3):
            layer(x)
        share = 1 / number if momentum is None else momentum
        for domain, part in zip(DOMAINS, torch.split(x, [4, 3]), strict=True):
            variance, mean = torch.var_mean(part, (0, 2, 3), correction=1)
            old_mean, old_variance = expected[domain]
            expected[domain] = (
                (1 - share) * old_mean + share * mean,
                (1 - share) * old_variance + share * variance,
            )
    for domain, images in (("source", 16), ("target", 12)):
        found = layer.running(domain)
        torch.testing.assert_close(tuple(found), expected[domain])
        assert int(getattr(layer, f"num_images_{domain}")) == images
    assert int(layer.num_batches_tracked) == 4


def test_running_moments_carry_no_gradient() -> None:
    layer = ReciprocalNorm2d(3, dtype=torch.float64)
    with domain_split(layer, source=4, target=3):
        layer(batches(1)[0].requires_grad_())
    assert not any(buffer.requires_grad for buffer in layer.buffers())


def test_evaluation_leaves_the_running_moments() -> None:
    layer = ReciprocalNorm2d(3, dtype=torch.float64).eval()
    before = {name: value.clone() for name, value in layer.named_buffers()}
    layer(batches(1)[0])
    assert all(torch.equal(value, before[name]) for name, value in layer.named_buffers())


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
def test_a_compiled_network_trains_as_it_does_uncompiled_and_layers_share_a_graph() -> None:
    layers = [module for _ in range(10) for module in (nn.Linear(3, 3), nn.BatchNorm1d(3))]
    model = convert_normalization(nn.Sequential(*layers)).double()
    twin = copy.deepcopy(model)
    compiled = torch.compile(twin, backend="eager")
    torch.compiler.reset()
    with torch._dynamo.config.patch(fail_on_recompile_limit_hit=True):
        for source, target in ((4, 3), (3, 4), (5, 2)):
            x = torch.randn(7, 3, dtype=torch.float64)
            with domain_split(model, source=source, target=target):
                expected = model(x)
            with domain_split(twin, source=source, target=target):
                found = compiled(x)
            torch.testing.assert_close(found, expected)
            for one, y in ((model, expected), (twin, found)):
                one.zero_grad()
                y.square().sum().backward()
            for own, other in zip(twin.parameters(), model.parameters(), strict=True):
                torch.testing.assert_close(own.grad, other.grad)
    torch.testing.assert_close(twin.state_dict(), model.state_dict())


def test_training_without_a_split_is_refused() -> None:
    with pytest.raises(RuntimeError, match=r"with domain_split\(model, source=..., target=...\)"):
        ReciprocalNorm2d(3)(torch.zeros(2, 3, 1, 1))


def test_a_split_that_does_not_add_up_is_refused() -> None:
    layer = ReciprocalNorm2d(3)
    with (
        domain_split(layer, source=2, target=1),
        pytest.raises(ValueError, match=r"has 2 source \+ 1 target images, but the batch has 4"),
    ):
        layer(torch.zeros(4, 3, 1, 1))


@pytest.mark.parametrize(("source", "target"), [(1, 3), (3, 1), (1, 0)])
def test_one_sample_of_a_domain_is_refused(source: int, target: int) -> None:
    domain = "source" if source == 1 else "target"
    layer = ReciprocalNorm1d(3)
    with (
        domain_split(layer, source=source, target=target),
        pytest.raises(
            ValueError, match=f"at least 2 {domain} images here \\(or none\\), but the split has 1"
        ),
    ):
        layer(torch.zeros(source + target, 3))
    assert int(layer.num_batches_tracked) == 0


def test_one_image_of_several_pixels_is_enough() -> None:
    layer = ReciprocalNorm2d(3)
    with domain_split(layer, source=1, target=1):
        assert torch.isfinite(layer(torch.randn(2, 3, 2, 1))).all()


def test_a_wrong_number_of_channels_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 3 channels, got 4"):
        ReciprocalNorm2d(3).eval()(torch.zeros(2, 4, 1, 1))
    with pytest.raises(ValueError, match="num_features must be at least 1, not 0"):
        ReciprocalNorm2d(0)


def test_state_round_trip() -> None:
    model, other = small_model(), convert_normalization(SmallNet()).eval()
    other.load_state_dict(model.state_dict())
    x = torch.randn(3, 1, 8, 6)
    for branch in DOMAINS:
        set_branch(model, branch)
        set_branch(other, branch)
        assert torch.equal(model(x), other(x))
    for (_, one), (_, two) in zip(domain_norms(model), domain_norms(other), strict=True):
        assert torch.equal(one.num_images_target, two.num_images_target)


def test_a_batch_norm_checkpoint_loads_strictly() -> None:
    original = SmallNet().eval()
    for norm in (original.norm, original.hidden_norm):
        assert norm.running_mean is not None and norm.running_var is not None
        nn.init.uniform_(norm.running_mean)
        nn.init.uniform_(norm.running_var, 0.5, 2)
        nn.init.uniform_(norm.weight, 0.5, 2)
    state = original.state_dict()
    keys = list(state)
    model = convert_normalization(SmallNet()).eval()
    model.load_state_dict(state)
    assert list(state) == keys
    x = torch.randn(3, 1, 8, 6)
    for branch in DOMAINS:
        set_branch(model, branch)
        torch.testing.assert_close(model(x), original(x), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("missing", ["norm.running_var", "norm.running_mean", "norm.weight"])
def test_an_incomplete_batch_norm_checkpoint_is_refused(missing: str) -> None:
    state = SmallNet().state_dict()
    del state[missing]
    with pytest.raises(RuntimeError, match="Missing key"):
        convert_normalization(SmallNet()).load_state_dict(state)


def test_set_branch_refuses_other_names() -> None:
    with pytest.raises(ValueError, match="'source' or 'target', not 'both'"):
        set_branch(ReciprocalNorm2d(3), "both")  # type: ignore[arg-type]


@pytest.mark.parametrize("own_prior", [True, False])
@pytest.mark.parametrize("domain", DOMAINS)
def test_an_observation_normalizes_by_prior_and_batch_merged(
    domain: Domain, own_prior: bool
) -> None:
    layer = ReciprocalNorm2d(3, dtype=torch.float64).eval()
    shake(layer)
    x = batches(1)[0]
    weight = torch.tensor([1, 1, 0, 1, 2, 1, 1], dtype=torch.float64)
    prior = Moments(torch.zeros(3).double(), torch.ones(3).double()) if own_prior else None
    layer.observation = Observation(domain, weight, 4.0, prior)
    y = layer(x)
    seen = layer.observation.batch
    assert seen is not None
    torch.testing.assert_close(tuple(seen), tuple(weighted_moments(x, weight)))

    merged = merge_moments(prior or layer.running(domain), 4.0, seen, 7.0)
    layer.observation = None
    layer.set_running(domain, merged, num_images=11)
    set_branch(layer, domain)
    torch.testing.assert_close(y, layer(x))


def test_scale_and_shift_is_what_evaluation_does() -> None:
    layer = ReciprocalNorm2d(3, dtype=torch.float64).eval()
    shake(layer)
    x = batches(1)[0]
    for branch in DOMAINS:
        set_branch(layer, branch)
        scale, shift = (v.view(1, -1, 1, 1) for v in layer.scale_and_shift())
        torch.testing.assert_close(layer(x), scale * x + shift)
        torch.testing.assert_close(layer.scale_and_shift(branch), layer.scale_and_shift())

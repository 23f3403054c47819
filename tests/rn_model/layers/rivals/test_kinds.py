"""Every normalization agrees with its equations, written out with autograd in float64."""

from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from rn_model.layers import Normalization, NormalizationName, convert_normalization
from rn_model.layers.domain_norm import DomainNorm
from rn_model.layers.domain_split import domain_split
from rn_model.layers.domains import DOMAINS
from rn_model.layers.moments import Moments
from tests.networks import shake

KINDS: tuple[NormalizationName, ...] = get_args(NormalizationName)
EPS = 1e-5
TRAILING: dict[tuple[int, ...], type[nn.Module]] = {
    (): nn.BatchNorm1d,
    (3,): nn.BatchNorm1d,
    (2, 3): nn.BatchNorm2d,
    (2, 1, 2): nn.BatchNorm3d,
}

shapes = st.tuples(
    st.sampled_from([1, 4, 520]), st.integers(2, 5), st.integers(2, 5), st.sampled_from([*TRAILING])
)
seeds = st.integers(0, 2**16)


def make_layer(
    kind: NormalizationName, channels: int, trailing: tuple[int, ...], seed: int
) -> DomainNorm:
    """A layer in training mode with random parameters and moments."""
    batch_norm = TRAILING[trailing](channels, dtype=torch.float64)
    layer = convert_normalization(batch_norm, Normalization(kind=kind))
    assert isinstance(layer, DomainNorm)
    shake(layer, seed)
    return layer.train()


def make_batch(images: int, channels: int, trailing: tuple[int, ...], seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(images, channels, *trailing, generator=generator, dtype=torch.float64)
    x = x * (1 + torch.arange(images).view(-1, *[1] * (x.dim() - 1)) / 2) + 0.3
    return x.requires_grad_()


def by_the_equations(kind: NormalizationName, layer: DomainNorm, parts: list[Tensor]) -> Tensor:
    """The output in training, from the paper's equations with autograd."""
    rows = [part.movedim(1, 0).flatten(1) for part in parts]
    correction = 1 if kind == "rn" else 0
    means = [row.mean(1) for row in rows]
    variances = [row.var(1, correction=correction) for row in rows]
    outputs = []
    for own, other in ((0, 1), (1, 0)):
        weight, bias = layer.weight, layer.bias
        mean, variance = means[own], variances[own]
        factor = torch.ones_like(mean)
        if kind == "bn":
            everything = torch.cat(rows, dim=1)
            mean, variance = everything.mean(1), everything.var(1, correction=0)
        elif kind == "autodial":
            alpha = layer.get_parameter("alpha")
            mean = alpha * means[own] + (1 - alpha) * means[other]
            second = alpha * (variances[own] + means[own] ** 2)
            second = second + (1 - alpha) * (variances[other] + means[other] ** 2)
            variance = second - mean**2
        elif kind == "ccn":
            alpha = layer.get_parameter("alpha")
            mean = alpha * means[own] + (1 - alpha) * means[other]
            variance = ((rows[own] - mean[:, None]) ** 2).mean(1)
        elif kind == "dsbn" and own == 1:
            weight = layer.get_parameter("weight_target")
            bias = layer.get_parameter("bias_target")
        elif kind == "transnorm":
            positions = [m / (v + EPS).sqrt() for m, v in zip(means, variances, strict=True)]
            closeness = 1 / (1 + (positions[0] - positions[1]).abs())
            factor = 1 + (len(mean) * closeness / closeness.sum()).detach()
        elif kind == "rn":
            names = [f"gate_{moment}_{DOMAINS[own]}" for moment in ("mean", "var")]
            mean, variance = (
                gate * mine + (1 - gate) * compensation(mine, theirs)
                for gate, mine, theirs in zip(
                    map(layer.get_parameter, names),
                    (means[own], variances[own]),
                    (means[other], variances[other]),
                    strict=True,
                )
            )
        y = (rows[own] - mean[:, None]) / (variance[:, None] + EPS).sqrt()
        y = factor[:, None] * (weight[:, None] * y + bias[:, None])
        outputs.append(y.view(len(y), len(parts[own]), -1).movedim(0, 1).reshape(parts[own].shape))
    return torch.cat(outputs)


def compensation(own: Tensor, other: Tensor) -> Tensor:
    """RC with groups of one channel, as for fewer than 1,024 channels."""
    score = -((own[:, None] - other[None, :]) ** 2)
    closeness = torch.exp(score - score.amax(1, keepdim=True))
    return closeness @ other / closeness.sum(1)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12)
@given(shape=shapes, seed=seeds)
def test_training_is_what_the_equations_say_in_value_and_gradient(
    kind: NormalizationName, shape: tuple[int, int, int, tuple[int, ...]], seed: int
) -> None:
    channels, source, target, trailing = shape
    layer = make_layer(kind, channels, trailing, seed)
    x = make_batch(source + target, channels, trailing, seed)
    with domain_split(layer, source=source, target=target):
        found = layer(x)
    expected = by_the_equations(kind, layer, list(torch.split(x, [source, target])))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)

    direction = torch.randn(
        found.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    wanted = [x, *layer.parameters()]
    for one, other in zip(
        torch.autograd.grad(found, wanted, direction),
        torch.autograd.grad(expected, wanted, direction),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "transnorm"])
@pytest.mark.parametrize("split", [(3, 4), (7, 0), (0, 7)])
@pytest.mark.parametrize("trailing", [(), (2, 3)])
def test_gradients_are_those_of_finite_differences(
    kind: NormalizationName, split: tuple[int, int], trailing: tuple[int, ...]
) -> None:
    layer = make_layer(kind, 3, trailing, 0)
    layer.momentum = 0.0  # so that every call sees the same running moments
    names, values = zip(*layer.named_parameters(), strict=True)

    def forward(x: Tensor, *parameters: Tensor) -> Tensor:
        named = dict(zip(names, parameters, strict=True))
        y: Tensor = torch.func.functional_call(layer, named, (x,))
        return y

    # Inside the ranges, where projection has no effect.
    inputs = [value.detach().clamp(0.55, 0.95).requires_grad_() for value in values]
    with domain_split(layer, source=split[0], target=split[1]):
        assert torch.autograd.gradcheck(forward, (make_batch(7, 3, trailing, 0), *inputs))


@given(shape=shapes, seed=seeds)
@settings(max_examples=12)
def test_bn_is_batch_norm_of_the_joined_batch(
    shape: tuple[int, int, int, tuple[int, ...]], seed: int
) -> None:
    channels, source, target, trailing = shape
    layer = make_layer("bn", channels, trailing, seed)
    x = make_batch(source + target, channels, trailing, seed)
    with domain_split(layer, source=source, target=target):
        found = layer(x)
    expected = F.batch_norm(x, None, None, layer.weight, layer.bias, training=True, eps=EPS)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    direction = torch.cos(found.detach() * 3)
    wanted = [x, layer.weight, layer.bias]
    torch.testing.assert_close(
        torch.autograd.grad(found, wanted, direction),
        torch.autograd.grad(expected, wanted, direction),
        rtol=1e-7,
        atol=1e-8,
    )


def test_bn_in_evaluation_merges_by_the_share_of_the_source() -> None:
    layer = make_layer("bn", 3, (), 0)
    layer.set_running("source", Moments(torch.zeros(3), torch.ones(3)), num_images=0)
    layer.set_running("target", Moments(torch.full((3,), 4.0), torch.full((3,), 9.0)), num_images=0)
    share = layer.get_buffer("source_share")
    assert float(share) == 1
    with domain_split(layer, source=6, target=0):
        layer(make_batch(6, 3, (), 0))
    assert float(share) == 1
    with domain_split(layer, source=2, target=6):
        layer(make_batch(8, 3, (), 0))
    assert float(share) == pytest.approx(0.9 + 0.1 * 0.25)

    share.fill_(0.75)
    layer.set_running("source", Moments(torch.zeros(3), torch.ones(3)), num_images=0)
    layer.set_running("target", Moments(torch.full((3,), 4.0), torch.full((3,), 9.0)), num_images=0)
    for domain in DOMAINS:
        mean, variance = layer.effective_moments(domain)
        torch.testing.assert_close(mean, torch.full((3,), 1.0, dtype=torch.float64))
        torch.testing.assert_close(variance, torch.full((3,), 6.0, dtype=torch.float64))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("missing", DOMAINS)
def test_running_moments_stand_in_for_a_missing_domain(
    kind: NormalizationName, missing: str
) -> None:
    layer = make_layer(kind, 4, (2, 3), 0)
    before = {name: value.clone() for name, value in layer.named_buffers()}
    x = make_batch(5, 4, (2, 3), 0)
    source = 0 if missing == "source" else 5
    with domain_split(layer, source=source, target=5 - source):
        found = layer(x)
    for name, value in layer.named_buffers():
        if name.endswith(missing):
            assert torch.equal(value, before[name])

    flat = x.movedim(1, 0).flatten(1)
    batch = Moments(flat.mean(1), flat.var(1, correction=1 if kind == "rn" else 0))
    stood_in = Moments(before[f"running_mean_{missing}"], before[f"running_var_{missing}"])
    coefficients = layer.coefficients()
    if kind == "bn":
        coefficients["source_share"] = torch.tensor(source / 5)
    present = "target" if missing == "source" else "source"
    expected = layer.affine_map(present, batch, stood_in, coefficients)(x)  # type: ignore[arg-type]
    torch.testing.assert_close(found, expected)
    if kind == "bn":
        plain = F.batch_norm(x, None, None, layer.weight, layer.bias, training=True, eps=EPS)
        torch.testing.assert_close(found, plain)


@pytest.mark.parametrize("kind", KINDS)
def test_two_passes_before_a_backward_pass(kind: NormalizationName) -> None:
    layer = make_layer(kind, 4, (2, 3), 0)
    x = make_batch(5, 4, (2, 3), 0)
    with domain_split(layer, source=5, target=0):
        one = layer(x)
    (expected,) = torch.autograd.grad(one.square().sum(), x, retain_graph=True)
    with domain_split(layer, source=0, target=5):
        layer(x)
    (found,) = torch.autograd.grad(one.square().sum(), x)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["channels_last", "transposed", "expanded gradient"])
def test_memory_layouts_change_no_number(kind: NormalizationName, form: str) -> None:
    layer = make_layer(kind, 4, (2, 3), 0)
    layer.momentum = 0.0
    x = make_batch(7, 4, (2, 3), 0).detach()
    other = {
        "channels_last": x.contiguous(memory_format=torch.channels_last),
        "transposed": x.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0),
        "expanded gradient": x.clone(),
    }[form]
    results = []
    for values in (x, other):
        values.requires_grad_()
        with domain_split(layer, source=3, target=4):
            y = layer(values)
        assert y.stride() == values.stride()
        direction = torch.ones(1, 1, 1, 1, dtype=torch.float64).expand_as(y)
        if values is x:
            direction = direction.contiguous()
        results.append((y, *torch.autograd.grad(y, [values, *layer.parameters()], direction)))
    torch.testing.assert_close(results[0], results[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_digits_are_kept_where_the_mean_is_large(kind: NormalizationName) -> None:
    layer = make_layer(kind, 4, (2, 3), 0)
    exact = make_batch(64, 4, (2, 3), 0).detach() * 0.1 + 300
    gradients = []
    errors = []
    for dtype in (torch.float64, torch.float32):
        x = exact.to(dtype).requires_grad_()
        with domain_split(layer.to(dtype), source=32, target=32):
            y = layer(x)
        gradients.append(torch.autograd.grad(y, x, torch.cos(exact.to(dtype)))[0])
        plain = F.batch_norm(x, None, None, layer.weight, layer.bias, training=True, eps=EPS)
        errors.append((y.detach().double(), plain.detach().double()))
    (y, plain), (y_single, plain_single) = errors
    allowed = 4 * float((plain - plain_single).abs().max()) + 1e-6
    assert float((y - y_single).abs().max()) < allowed
    torch.testing.assert_close(gradients[1].double(), gradients[0], rtol=2e-3, atol=2e-3)

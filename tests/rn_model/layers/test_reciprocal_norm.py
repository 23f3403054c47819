from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from rn_model import (
    ReciprocalNorm1d,
    ReciprocalNorm2d,
    ReciprocalNorm3d,
    domain_split,
    parameter_groups,
    project_parameters,
    set_branch,
)
from rn_model.layers.domains import DOMAINS, Domain
from rn_model.layers.functional import Similarity
from rn_model.layers.moments import Moments
from rn_model.layers.observation import Observation
from tests.networks import shake
from tests.rn_model import reference

Kind = type[ReciprocalNorm1d] | type[ReciprocalNorm2d] | type[ReciprocalNorm3d]

GOLDEN = Path(__file__).parents[4] / "shared" / "golden" / "golden_rn.npz"
CASES = ("c8", "c64", "c512", "c1024", "c2048", "c256_1d", "c64_l1", "c64_cosine")
GATES = [f"gate_{moment}_{domain}" for moment in ("mean", "var") for domain in DOMAINS]


def assert_near(found: Tensor, expected: NDArray[np.float32], tolerance: float) -> None:
    error = np.abs(found.detach().numpy() - expected).max()
    assert error <= tolerance * np.abs(expected).max()


@pytest.mark.skipif(not GOLDEN.exists(), reason="the authors' numbers are not here")
@pytest.mark.parametrize("case", CASES)
def test_the_authors_numbers_are_reproduced(case: str) -> None:
    with np.load(GOLDEN) as archive:
        golden = {k.split("/")[1]: archive[k] for k in archive.files if k.startswith(f"{case}/")}
    similarities: dict[str, Similarity] = {"c64_l1": "absolute", "c64_cosine": "product"}
    x = torch.from_numpy(golden["x"]).requires_grad_()
    kind = ReciprocalNorm1d if x.dim() == 2 else ReciprocalNorm2d
    layer = kind(x.shape[1], similarity=similarities.get(case, "squared"))
    names = ("weight", "bias", *GATES)
    with torch.no_grad():
        for name in names:
            layer.get_parameter(name).copy_(torch.from_numpy(golden[name]))
    with domain_split(layer, source=len(x) // 2, target=len(x) // 2):
        y = layer(x)
    y.backward(torch.from_numpy(golden["dy"]))
    assert_near(y, golden["y"], 1e-5)
    for name, value in (("x", x), *((name, layer.get_parameter(name)) for name in names)):
        assert value.grad is not None
        assert_near(value.grad, golden[f"d{name}"], 1e-4)


@settings(max_examples=20)
@given(
    channels=st.sampled_from([1, 3, 64, 512, 520, 1030]),
    source=st.integers(2, 5),
    target=st.integers(2, 5),
    trailing=st.sampled_from([(), (3,), (2, 1), (2, 1, 2)]),
    seed=st.integers(0, 2**16),
)
def test_training_follows_the_equations(
    channels: int, source: int, target: int, trailing: tuple[int, ...], seed: int
) -> None:
    kinds: dict[int, Kind] = {
        0: ReciprocalNorm1d,
        1: ReciprocalNorm1d,
        2: ReciprocalNorm2d,
        3: ReciprocalNorm3d,
    }
    layer = kinds[len(trailing)](channels, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            low = 0.5 if name.startswith("gate") else -2.0
            parameter.uniform_(low, 1.0, generator=generator)
    x = torch.randn(source + target, channels, *trailing, generator=generator, dtype=torch.float64)
    x[source:] = x[source:] * 3 + 1
    with domain_split(layer, source=source, target=target):
        y = layer(x).detach().numpy()
    parts = {"source": x[:source].numpy(), "target": x[source:].numpy()}
    gamma, beta = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    expected = []
    for domain, other in (("source", "target"), ("target", "source")):
        gates = [
            layer.get_parameter(f"gate_{m}_{domain}").detach().numpy() for m in ("mean", "var")
        ]
        mean, variance = [
            reference.aggregation(own, theirs, gate)
            for own, theirs, gate in zip(
                reference.moments(parts[domain]),
                reference.moments(parts[other]),
                gates,
                strict=True,
            )
        ]
        expected.append(reference.normalize(parts[domain], mean, variance, gamma, beta))
    np.testing.assert_allclose(y, np.concatenate(expected), rtol=1e-8, atol=1e-8)


def test_gates_of_one_normalize_each_domain_by_itself() -> None:
    x = torch.randn(7, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    layer = ReciprocalNorm2d(4)
    with domain_split(layer, source=5, target=2):
        parts = torch.split(layer(x), [5, 2])
    for raw, normalized in zip(torch.split(x, [5, 2]), parts, strict=True):
        variance, mean = torch.var_mean(raw, (0, 2, 3), correction=1, keepdim=True)
        torch.testing.assert_close(normalized, (raw - mean) / (variance + 1e-5).sqrt())


def test_gradients() -> None:
    layer = ReciprocalNorm1d(2, dtype=torch.float64)
    shake(layer)
    layer.train()
    names, values = zip(*layer.named_parameters(), strict=True)
    x = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)

    def forward(x: Tensor, *parameters: Tensor) -> Tensor:
        result: Tensor = torch.func.functional_call(
            layer, dict(zip(names, parameters, strict=True)), (x,)
        )
        return result

    inputs = (x, *(v.detach().clone().requires_grad_() for v in values))
    with domain_split(layer, source=2, target=3):
        assert torch.autograd.gradcheck(forward, inputs)


@pytest.mark.parametrize(("gate", "inside"), [(1.7, 1.0), (-3.0, 0.5)])
def test_gates_outside_of_the_range_act_as_its_ends(gate: float, inside: float) -> None:
    x = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    x[:, 0] *= 1e-3  # beside channels of variance 1, this variance could become negative
    results = []
    for value in (gate, inside):
        layer = ReciprocalNorm2d(4)
        with torch.no_grad():
            for domain in DOMAINS:
                for parameter in layer.gates(domain):
                    parameter.fill_(value)
        with domain_split(layer, source=3, target=3):
            trained = layer(x)
        results.append((trained, layer.eval()(x), *layer.effective_moments()))
        assert (layer.effective_moments().variance > 0).all()
    for found, expected in zip(*results, strict=True):
        assert torch.equal(found, expected)


def test_project_parameters_moves_every_gate_into_the_range() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), ReciprocalNorm2d(4), nn.ReLU(), ReciprocalNorm2d(4))
    gates = [p for name, p in model.named_parameters() if "gate" in name]
    values = torch.tensor([-3.0, 0.6, 1.0, 1.7])
    before = {n: p.clone() for n, p in model.named_parameters() if "gate" not in n}
    with torch.no_grad():
        for gate in gates:
            gate.copy_(values)
    project_parameters(model)
    assert len(gates) == 8
    for gate in gates:
        assert torch.equal(gate, torch.tensor([0.5, 0.6, 1.0, 1.0]))
    for name, parameter in model.named_parameters():
        assert "gate" in name or torch.equal(parameter, before[name])


@pytest.mark.parametrize("branch", DOMAINS)
def test_evaluation_uses_the_running_moments_of_its_branch(branch: Domain) -> None:
    layer = ReciprocalNorm2d(5, dtype=torch.float64).eval()
    shake(layer)
    set_branch(layer, branch)
    x = torch.randn(3, 5, 2, 2, dtype=torch.float64)
    other: Domain = "target" if branch == "source" else "source"
    gates = [gate.detach().numpy() for gate in layer.gates(branch)]
    mean, variance = [
        reference.aggregation(own.numpy(), theirs.numpy(), gate)
        for own, theirs, gate in zip(
            layer.running(branch), layer.running(other), gates, strict=True
        )
    ]
    gamma, beta = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    expected = reference.normalize(x.numpy(), mean, variance, gamma, beta)
    np.testing.assert_allclose(layer(x).detach().numpy(), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("mode", ["train", "eval", "observe"])
@pytest.mark.parametrize("half_layer", [False, True])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_follows_float32(dtype: torch.dtype, half_layer: bool, mode: str) -> None:
    exact = ReciprocalNorm2d(16).train(mode == "train")
    shake(exact)
    if half_layer:
        exact.to(dtype)  # both have the same rounded parameters
    half = ReciprocalNorm2d(16, dtype=dtype if half_layer else None).train(mode == "train")
    half.load_state_dict(exact.state_dict())
    exact.float()
    x = (torch.randn(6, 16, 4, 4, generator=torch.Generator().manual_seed(0)) * 3 + 1).to(dtype)
    results = []
    for layer, values in ((half, x), (exact, x.float())):
        if mode == "observe":
            layer.observation = Observation("target", torch.ones(6), 4.0)
        with domain_split(layer, source=2, target=4):
            results.append(layer(values))
    assert results[0].dtype == dtype
    torch.testing.assert_close(
        results[0], results[1].to(dtype), rtol=torch.finfo(dtype).eps, atol=0
    )


def test_autocast_does_not_touch_the_moments() -> None:
    layer = ReciprocalNorm2d(16)
    shake(layer)
    x = torch.randn(6, 16, 4, 4)
    with domain_split(layer, source=3, target=3):
        expected = layer(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(layer(x), expected)


@pytest.mark.parametrize(
    ("kind", "shapes"),
    [
        (ReciprocalNorm1d, [(4, 3), (4, 3, 2)]),
        (ReciprocalNorm2d, [(4, 3, 2, 2)]),
        (ReciprocalNorm3d, [(4, 3, 2, 1, 2)]),
    ],
)
def test_dimensions(
    kind: Kind,
    shapes: list[tuple[int, ...]],
) -> None:
    layer = kind(3).eval()
    right = "2- or 3" if kind is ReciprocalNorm1d else str(len(shapes[0]))
    for dimensions in range(1, 7):
        shape = (4, 3, 2, 2, 2, 2)[:dimensions]
        if dimensions in {len(s) for s in shapes}:
            assert layer(torch.zeros(shape)).shape == shape
        else:
            with pytest.raises(ValueError, match=f"{right}-dim.* got {dimensions} dimensions"):
                layer(torch.zeros(shape))


def test_what_a_layer_says_of_itself() -> None:
    plain = ReciprocalNorm2d(3)
    assert "3, eps=1e-05, momentum=0.1, affine=True, branch=target" in repr(plain)
    special = ReciprocalNorm2d(3, correlation_scale=2.0, similarity="product")
    assert "correlation_scale=2.0, similarity=product" in repr(special)


def test_gates_are_spared_weight_decay() -> None:
    model = nn.Sequential(nn.Linear(3, 4), ReciprocalNorm1d(4), nn.Linear(4, 2))
    decayed, spared = parameter_groups(model, weight_decay=0.1)
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0.0)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert sorted(names.pop(id(gate)) for gate in spared["params"]) == [
        f"1.gate_{moment}_{domain}" for moment in ("mean", "var") for domain in ("source", "target")
    ]
    assert {id(parameter) for parameter in decayed["params"]} == set(names)
    plain = parameter_groups(nn.Linear(3, 4), weight_decay=0.1)
    assert len(plain) == 1


def trained_layer(**options: Any) -> ReciprocalNorm2d:
    layer = ReciprocalNorm2d(6, dtype=torch.float64, **options)
    shake(layer)
    return layer


def raw_moments() -> tuple[Moments, Moments]:
    values = torch.rand(4, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64) + 0.5
    return Moments(values[0], values[1]), Moments(values[2], values[3])


def test_without_compensation_the_other_domain_is_taken_as_it_is() -> None:
    layer = trained_layer(compensation=False)
    own, other = raw_moments()
    found = layer.effective("target", own, other, layer.coefficients())
    for moment, gate, mine, theirs in zip(found, layer.gates("target"), own, other, strict=True):
        torch.testing.assert_close(moment, gate * mine + (1 - gate) * theirs)


def test_without_aggregation_half_of_either_is_taken() -> None:
    layer = ReciprocalNorm2d(6, dtype=torch.float64, aggregation=False, gate_floor=0.8)
    assert not any(gate.requires_grad for gate in layer.gate_parameters())
    project_parameters(layer)
    own, other = raw_moments()
    found = layer.effective("source", own, other, layer.coefficients())
    for moment, mine, theirs in zip(found, own, other, strict=True):
        expected = reference.compensation(mine.numpy(), theirs.numpy())
        np.testing.assert_allclose(moment.detach().numpy(), (mine.numpy() + expected) / 2)
    with domain_split(layer, source=2, target=2):
        layer(torch.randn(4, 6, 2, 2, dtype=torch.float64)).sum().backward()
    assert all(gate.grad is None for gate in layer.gate_parameters())


def test_a_lower_floor_lets_gates_fall() -> None:
    layer = trained_layer(gate_floor=0.0)
    with torch.no_grad():
        for gate in layer.gate_parameters():
            gate.fill_(0.0)
    project_parameters(layer)
    own, other = raw_moments()
    found = layer.effective("source", own, other, layer.coefficients())
    expected = reference.compensation(own.variance.numpy(), other.variance.numpy())
    np.testing.assert_allclose(found.variance.detach().numpy(), expected)
    with pytest.raises(ValueError, match=r"gate_floor must be between 0 and 1, not -0\.1"):
        ReciprocalNorm2d(6, gate_floor=-0.1)


def test_groups_share_a_row() -> None:
    layer = trained_layer(groups=2)
    own, other = raw_moments()
    found = layer.effective("source", own, other, layer.coefficients())
    for moment, gate, mine, theirs in zip(found, layer.gates("source"), own, other, strict=True):
        rows, columns = mine.view(2, 3), theirs.view(2, 3)
        score = -((rows.mean(1)[:, None] - columns.mean(1)[None, :]) ** 2)
        compensated = (score.softmax(1) @ columns).flatten()
        torch.testing.assert_close(moment, gate * mine + (1 - gate) * compensated)


@pytest.mark.parametrize("options", [{"compensation": False}, {"groups": 2}, {"gate_floor": 0.0}])
def test_options_train_as_autograd_says(options: dict[str, Any]) -> None:
    layer = trained_layer(**options)
    x = torch.randn(7, 6, 2, 2, dtype=torch.float64, requires_grad=True)
    with domain_split(layer, source=3, target=4):
        y = layer(x)
    parts = torch.split(x, [3, 4])
    moments = [Moments(p.mean((0, 2, 3)), p.var((0, 2, 3), correction=1)) for p in parts]
    maps = layer.affine_maps(moments[0], moments[1], layer.coefficients())
    expected = torch.cat([affine(part) for affine, part in zip(maps, parts, strict=True)])
    torch.testing.assert_close(y, expected)
    direction = torch.cos(expected.detach() * 3)
    wanted = [x, *layer.parameters()]
    torch.testing.assert_close(
        torch.autograd.grad(y, wanted, direction),
        torch.autograd.grad(expected, wanted, direction),
    )


def test_only_the_input_is_kept_for_the_backward_pass() -> None:
    layer = ReciprocalNorm2d(600)
    x = torch.randn(4, 600, 2, 2, requires_grad=True)
    kept: list[Tensor] = []

    def keep(value: Tensor) -> Tensor:
        kept.append(value)
        return value

    with (
        domain_split(layer, source=2, target=2),
        torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value),
    ):
        layer(x)
    parameters = {p.data_ptr() for p in layer.parameters()}
    assert [t.shape for t in kept if t.data_ptr() not in parameters] == [x.shape]

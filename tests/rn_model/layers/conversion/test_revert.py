import copy
import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from rn_model import (
    Normalization,
    ReciprocalNorm1d,
    ReciprocalNorm2d,
    ReciprocalNorm3d,
    convert_normalization,
    domain_norms,
    domain_split,
    revert_reciprocal_norm,
    set_branch,
)
from rn_model.layers.domains import DOMAINS, Domain
from tests.networks import SmallNet


class Nested(nn.Module):
    """Norms of each number of dimensions in nested containers; one of them is used twice."""

    def __init__(self) -> None:
        super().__init__()
        shared = nn.BatchNorm2d(4, eps=1e-3, momentum=None)
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3), shared)
        self.blocks = nn.ModuleList([nn.ModuleDict({"norm": shared}), nn.BatchNorm3d(4)])
        self.plain = nn.BatchNorm1d(4, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks[0]["norm"](self.stem(x).relu())  # type: ignore[index]
        x = self.blocks[1](x.unsqueeze(2))
        result: Tensor = self.plain(x.mean((2, 3, 4)))
        return result


def trained(model: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, _BatchNorm) and module.running_mean is not None:
                assert module.running_var is not None and module.num_batches_tracked is not None
                module.running_mean.uniform_(-1, 1, generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
                module.num_batches_tracked.fill_(9)
                for parameter in module.parameters():
                    parameter.uniform_(-2, 2, generator=generator)
    return model


def test_all_batch_norms_of_a_model_are_replaced() -> None:
    model = convert_normalization(trained(Nested()))
    found = {name: type(layer) for name, layer in domain_norms(model)}
    assert found == {
        "stem.1": ReciprocalNorm2d,
        "blocks.1": ReciprocalNorm3d,
        "plain": ReciprocalNorm1d,
    }
    assert model.get_submodule("stem.1") is model.get_submodule("blocks.0.norm")
    assert not any(isinstance(module, _BatchNorm) for module in model.modules())
    shared = model.get_submodule("stem.1")
    assert isinstance(shared, ReciprocalNorm2d)
    assert (shared.eps, shared.momentum) == (1e-3, None)
    assert int(shared.num_batches_tracked) == 9 and int(shared.num_images_target) == 0


def test_the_converted_model_computes_what_it_did() -> None:
    model = trained(Nested()).eval()
    x = torch.randn(5, 1, 6, 6)
    expected = model(x)
    convert_normalization(model)
    for branch in DOMAINS:
        set_branch(model, branch)
        torch.testing.assert_close(model(x), expected, rtol=1e-5, atol=1e-5)


def test_the_moments_stay_the_same_to_the_bit() -> None:
    layer = trained(nn.BatchNorm2d(600))
    mean, variance = layer.running_mean, layer.running_var
    converted = convert_normalization(layer)
    assert isinstance(converted, ReciprocalNorm2d)
    for domain in DOMAINS:
        effective = converted.effective_moments(domain)
        assert torch.equal(effective.mean, mean)  # type: ignore[arg-type]
        assert torch.equal(effective.variance, variance)  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [SmallNet, Nested, lambda: nn.BatchNorm1d(3)])
def test_reverting_restores_the_original(make: type[nn.Module]) -> None:
    model = trained(make())
    original = copy.deepcopy(model)
    restored = revert_reciprocal_norm(convert_normalization(model))
    assert repr(restored) == repr(original)
    state = original.state_dict()
    assert list(restored.state_dict()) == list(state)
    for name, value in restored.state_dict().items():
        assert torch.equal(value, state[name])


@pytest.mark.parametrize("branch", DOMAINS)
def test_reverting_after_training_gives_the_branch(branch: Domain) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = convert_normalization(SmallNet())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        x = torch.randn(9, 1, 8, 6, generator=generator)
        with domain_split(model, source=5, target=4):
            model(x).square().sum().backward()
        optimizer.step()
    model.eval()
    set_branch(model, branch)
    expected = model(x)
    reverted = revert_reciprocal_norm(model, branch=branch)
    assert not list(domain_norms(reverted))
    torch.testing.assert_close(reverted(x), expected, rtol=1e-5, atol=1e-5)


def test_parameters_stay_the_same_objects() -> None:
    model = SmallNet()
    model.norm.weight.requires_grad_(False)
    before = dict(model.named_parameters())
    convert_normalization(model)
    after = dict(model.named_parameters())
    assert all(after[name] is parameter for name, parameter in before.items())
    assert not after["norm.weight"].requires_grad
    assert after["norm.bias"].requires_grad and after["norm.gate_mean_target"].requires_grad
    revert_reciprocal_norm(model)
    assert list(map(id, model.parameters())) == list(map(id, before.values()))


@pytest.mark.parametrize("training", [True, False])
def test_every_layer_keeps_its_mode(training: bool) -> None:
    model = SmallNet().train(training)
    model.norm.train(not training)
    convert_normalization(model)
    assert (model.norm.training, model.hidden_norm.training) == (not training, training)
    revert_reciprocal_norm(model)
    assert (model.norm.training, model.hidden_norm.training) == (not training, training)


def test_dtype_is_kept() -> None:
    layer = convert_normalization(nn.BatchNorm2d(3, dtype=torch.float64))
    assert {value.dtype for value in layer.state_dict().values()} == {torch.float64, torch.int64}


def test_options_reach_every_layer() -> None:
    model = convert_normalization(
        SmallNet(), Normalization(correlation_scale=7.0, similarity="absolute")
    )
    for _, layer in domain_norms(model):
        assert isinstance(layer, ReciprocalNorm1d | ReciprocalNorm2d)
        assert (layer.correlation_scale, layer.similarity) == (7.0, "absolute")


class OwnForward(nn.BatchNorm2d):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).relu()


@pytest.mark.parametrize(
    "norm",
    [
        nn.BatchNorm2d(3, track_running_stats=False),
        nn.InstanceNorm2d(3, track_running_stats=True),
        OwnForward(3),
    ],
)
def test_what_cannot_be_converted_is_named_and_left(norm: nn.Module) -> None:
    model = nn.Sequential(nn.Conv2d(1, 3, 1), nn.Sequential(norm), nn.BatchNorm2d(3))
    with pytest.warns(UserWarning, match=r"not converted.*: 1\.0$"):
        convert_normalization(model)
    assert model.get_submodule("1.0") is norm
    assert isinstance(model[2], ReciprocalNorm2d)
    with pytest.warns(UserWarning, match=f": {type(norm).__name__}$"):
        assert convert_normalization(norm) is norm


def test_a_lazy_layer_is_refused_and_nothing_changed() -> None:
    model = nn.Sequential(nn.BatchNorm2d(3), nn.LazyBatchNorm2d())
    with pytest.raises(ValueError, match="1 is a lazy BatchNorm: run one batch through it first"):
        convert_normalization(model)
    assert isinstance(model[0], nn.BatchNorm2d)
    model(torch.randn(2, 3, 2, 2))
    convert_normalization(model)
    assert isinstance(model[1], ReciprocalNorm2d)


def test_a_model_without_batch_norm_is_left_in_silence() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert convert_normalization(model) is model
    assert revert_reciprocal_norm(model) is model

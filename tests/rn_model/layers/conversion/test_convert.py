import copy
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from rn_model.layers import (
    AdaptiveBatchNorm,
    AutoDial,
    CommonCenterNorm,
    DomainSpecificBatchNorm,
    MergedBatchNorm,
    NormAct,
    Normalization,
    NormalizationName,
    TransNorm,
    convert_normalization,
)
from rn_model.layers.domain_norm import DomainNorm, domain_norms, set_branch
from rn_model.layers.domain_split import domain_split
from rn_model.layers.domains import DOMAINS
from rn_model.layers.reciprocal_norm import ReciprocalNorm, ReciprocalNorm2d
from tests.networks import SmallNet

KINDS: tuple[NormalizationName, ...] = get_args(NormalizationName)


def trained() -> SmallNet:
    torch.manual_seed(0)
    model = SmallNet()
    for norm in (model.norm, model.hidden_norm):
        nn.init.uniform_(norm.weight, 0.5, 2)
        nn.init.uniform_(norm.bias)
    for _ in range(5):
        model(torch.randn(9, 1, 8, 6) * 3)
    return model.eval()


@pytest.mark.parametrize(
    ("kind", "layer"),
    [
        ("bn", MergedBatchNorm),
        ("adabn", AdaptiveBatchNorm),
        ("autodial", AutoDial),
        ("dsbn", DomainSpecificBatchNorm),
        ("transnorm", TransNorm),
        ("ccn", CommonCenterNorm),
        ("rn", ReciprocalNorm2d),
    ],
)
def test_every_name_has_its_layer(kind: NormalizationName, layer: type[DomainNorm]) -> None:
    model = trained()
    parameters = dict(model.named_parameters())
    assert convert_normalization(model, kind) is model
    assert type(model.get_submodule("norm")) is layer
    assert len(list(domain_norms(model))) == 2
    after = dict(model.named_parameters())
    assert all(after[name] is parameter for name, parameter in parameters.items())


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(
        ValueError, match="unknown normalization 'RN'; choose from bn, adabn, autodial, d"
    ):
        convert_normalization(trained(), "RN")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "transnorm"])
def test_evaluation_is_as_before(kind: NormalizationName) -> None:
    model, x = trained(), torch.randn(4, 1, 8, 6)
    expected = model(x)
    convert_normalization(model, Normalization(kind=kind))
    for branch in DOMAINS:
        set_branch(model, branch)
        torch.testing.assert_close(model(x), expected)


def test_transnorm_doubles_what_batch_norm_computes() -> None:
    layer = trained().norm
    x = torch.randn(4, 4, 8, 6)
    expected = 2 * layer(x)
    converted = convert_normalization(layer, Normalization(kind="transnorm"))
    torch.testing.assert_close(converted(x), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_norm_checkpoint_loads_as_if_converted_after(kind: NormalizationName) -> None:
    config = Normalization(kind=kind)
    state = trained().state_dict()
    model = convert_normalization(SmallNet(), config).eval()
    model.load_state_dict(state)
    x = torch.randn(4, 1, 8, 6)
    for branch in DOMAINS:
        set_branch(model, branch)
        expected = convert_normalization(trained(), config).eval()
        set_branch(expected, branch)
        torch.testing.assert_close(model(x), expected(x))


@pytest.mark.parametrize("kind", KINDS)
def test_evaluation_after_training_is_the_map_of_the_running_moments(
    kind: NormalizationName,
) -> None:
    model = convert_normalization(trained(), Normalization(kind=kind)).train()
    for _ in range(2):
        with domain_split(model, source=5, target=4):
            model(torch.randn(9, 1, 8, 6))
    layer = model.get_submodule("norm").eval()
    assert isinstance(layer, DomainNorm)
    x = torch.randn(4, 4, 8, 6)
    for branch in DOMAINS:
        set_branch(layer, branch)
        scale, shift = (v.view(1, -1, 1, 1) for v in layer.scale_and_shift())
        torch.testing.assert_close(layer(x), scale * x + shift)


def test_options_reach_reciprocal_norm() -> None:
    config = Normalization(
        correlation_scale=3.0,
        similarity="absolute",
        compensation=False,
        aggregation=False,
        groups=2,
    )
    model = convert_normalization(trained(), config)
    for _, layer in domain_norms(model):
        assert isinstance(layer, ReciprocalNorm)
        assert (layer.correlation_scale, layer.similarity, layer.groups) == (3.0, "absolute", 2)
        assert (layer.compensation, layer.aggregation) == (False, False)


class NormWithAct(nn.BatchNorm2d):
    """A fused module like those of popular model collections."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.drop: nn.Module = nn.Identity()
        self.act: nn.Module = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act(self.drop(super().forward(x)))
        return y


@pytest.mark.parametrize("training", [True, False])
def test_a_norm_with_an_activation_of_its_own(training: bool) -> None:
    norm = NormWithAct(3)
    nn.init.uniform_(norm.weight, 0.5, 2)
    model = nn.Sequential(nn.Conv2d(1, 3, 1), norm).train(training)
    x = torch.randn(6, 1, 4, 4)
    expected = copy.deepcopy(model)(x)
    convert_normalization(model, Normalization(kind="bn"))
    converted = model[1]
    assert isinstance(converted, NormAct)
    assert isinstance(converted.norm, MergedBatchNorm)
    assert converted.training is converted.norm.training is training
    with domain_split(model, source=2, target=4):
        found = model(x)
    torch.testing.assert_close(found, expected)
    found.sum().backward()


def test_sync_batch_norm_is_converted() -> None:
    norm = nn.SyncBatchNorm(3).eval()
    nn.init.uniform_(norm.weight, 0.5, 2)
    x = torch.randn(4, 3, 2, 2)
    expected = norm(x)
    model = convert_normalization(nn.Sequential(norm))
    assert type(model[0]) is ReciprocalNorm  # type: ignore[index]
    torch.testing.assert_close(model(x), expected)


class Frozen(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(3))


def test_frozen_statistics_are_named_and_left() -> None:
    model = nn.Sequential(nn.BatchNorm2d(3), Frozen())
    with pytest.warns(UserWarning, match=r"not converted to 'dsbn': 1$"):
        convert_normalization(model, Normalization(kind="dsbn"))
    assert isinstance(model[1], Frozen)


@pytest.mark.parametrize("kind", KINDS)
def test_converting_again_changes_nothing(kind: NormalizationName) -> None:
    config = Normalization(kind=kind)
    model = convert_normalization(trained(), config)
    before = dict(domain_norms(model))
    assert dict(domain_norms(convert_normalization(model, config))) == before


def test_converting_again_without_aggregation_changes_nothing() -> None:
    config = Normalization(aggregation=False, gate_floor=0.0)
    convert_normalization(convert_normalization(trained(), config), config)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Normalization(kind="transnorm"), Normalization(kind="adabn")),
        (Normalization(kind="adabn"), Normalization()),
        (Normalization(), Normalization(kind="dsbn")),
        (Normalization(), Normalization(correlation_scale=10)),
    ],
)
def test_what_was_converted_otherwise_is_named_and_left(
    first: Normalization, second: Normalization
) -> None:
    model = convert_normalization(trained(), first)
    before = dict(domain_norms(model))
    with pytest.warns(UserWarning, match=r"norm \(\w+ already\), hidden_norm \(\w+ already\)"):
        convert_normalization(model, second)
    assert dict(domain_norms(model)) == before

"""Networks as people write them: converted right, or refused by name."""

import copy
import re
from collections.abc import Callable
from functools import partial
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from rn_model import convert_normalization, domain_norms, domain_split, revert_reciprocal_norm
from rn_model.layers import NormalizationName
from tests.rn_model.layers.conversion import unusual

X = torch.linspace(-2, 2, 4 * 3 * 8 * 8).reshape(4, 3, 8, 8).sin()
KINDS: tuple[NormalizationName, ...] = get_args(NormalizationName)

COMPUTED = (
    "the {} of 1 is computed, not a parameter (pruned, parametrized or normalized): make it permanent"
    " first, with torch.nn.utils.prune.remove or torch.nn.utils.parametrize.remove_parametrizations"
)
QUANTIZED = (
    "0 ({}) is prepared for quantization and reads the statistics of its BatchNorm itself: convert the"
    " network before torch.ao.quantization.prepare_qat"
)
SCRIPTED = (
    "{} is scripted (torch.jit), so its BatchNorm layers cannot be replaced: pass the network as it was"
    " before torch.jit.script or torch.jit.trace"
)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (unusual.pruned, COMPUTED.format("weight")),
        (unusual.pruned_bias, COMPUTED.format("bias")),
        (unusual.parametrized, COMPUTED.format("weight")),
        (unusual.parametrized_bias, COMPUTED.format("bias")),
        (unusual.computed_by_a_hook, COMPUTED.format("weight")),
        (partial(unusual.quantization_aware, ["0", "1"]), QUANTIZED.format("ConvBn2d")),
        (partial(unusual.quantization_aware, ["0", "1", "2"]), QUANTIZED.format("ConvBnReLU2d")),
        (unusual.scripted, SCRIPTED.format("the model")),
        (unusual.traced, SCRIPTED.format("the model")),
        (unusual.scripted_part, SCRIPTED.format("0")),
        (unusual.lazy, "1 is a lazy BatchNorm: run one batch through it first"),
    ],
)
def test_a_layer_that_cannot_be_replaced_is_refused_by_name(
    make: Callable[[], nn.Module], message: str
) -> None:
    model = make()
    kinds = [type(module) for module in model.modules()]
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        convert_normalization(model)
    assert [type(module) for module in model.modules()] == kinds  # nothing was changed


def test_pruning_that_was_made_permanent_is_converted() -> None:
    model = unusual.pruned().eval()
    nn.utils.prune.remove(model.get_submodule("1"), "weight")  # type: ignore[no-untyped-call]
    expected = model(X)
    torch.testing.assert_close(convert_normalization(model)(X), expected)


@pytest.mark.parametrize(
    "make",
    [unusual.Listed, unusual.Keyed, unusual.Closed, unusual.Partial, unusual.Bound],
)
@pytest.mark.parametrize("training", [True, False])
def test_a_replaced_layer_that_still_runs_is_an_error(
    make: Callable[[], nn.Module], training: bool
) -> None:
    model = convert_normalization(make()).train(training)
    with (
        pytest.raises(
            (RuntimeError, AttributeError),
            match=r"^BatchNorm 'layers\.1' was replaced, but the network still uses the old layer: from a"
            r" list, a dict, a closure or a functools\.partial\. Use it as an attribute of its module"
            r" \(self\.NAME\), or from an nn\.ModuleList or nn\.ModuleDict",
        ),
        domain_split(model, source=2, target=2),
    ):
        model(X)


def test_the_parameters_of_a_replaced_layer_remain() -> None:
    model = unusual.plain()
    old = model[1]
    convert_normalization(model)
    assert old.weight is model[1].weight and old.bias is model[1].bias
    assert not hasattr(old, "running_mean")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reentrant", [True, False])
def test_activation_checkpointing_counts_a_batch_once(
    kind: NormalizationName, reentrant: bool
) -> None:
    model = convert_normalization(unusual.Checkpointed(reentrant), kind).train()
    layers = model.get_submodule("layers")
    twin = copy.deepcopy(layers)
    for network in (model, twin):
        with domain_split(network, source=2, target=2):
            network(X).square().sum().backward()
    for name, value in twin.state_dict().items():
        torch.testing.assert_close(layers.state_dict()[name], value)
    for found, expected in zip(layers.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(found.grad, expected.grad)
    (layer,) = [layer for _, layer in domain_norms(model)]
    assert layer.num_batches_tracked == 1


def test_hooks_move_to_the_new_layer_and_back() -> None:
    model, seen = unusual.plain(), []

    def double(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        seen.append(type(module).__name__)
        return 2 * output

    def halve(
        module: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Tensor]
    ) -> tuple[tuple[Tensor], dict[str, Tensor]]:
        return (args[0] / 2,), kwargs

    handles = [
        model[1].register_forward_hook(double),
        model[1].register_forward_pre_hook(halve, with_kwargs=True),
        model[1].register_full_backward_hook(lambda *_: seen.append("backward")),
    ]
    expected = model.eval()(X)
    convert_normalization(model)
    found = model(X)
    torch.testing.assert_close(found, expected)
    found.sum().backward()
    revert_reciprocal_norm(model)
    torch.testing.assert_close(model(X), expected)
    assert seen == ["BatchNorm2d", "ReciprocalNorm2d", "backward", "BatchNorm2d"]
    for handle in handles:
        handle.remove()
    model(X)
    assert len(seen) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_without_a_bias_or_a_count(kind: NormalizationName) -> None:
    model = unusual.plain()
    model[1].register_parameter("bias", None)
    vars(model[1])["_buffers"]["num_batches_tracked"] = None
    expected = model.eval()(X)
    convert_normalization(model, kind).train()
    if kind != "transnorm":
        torch.testing.assert_close(model.eval()(X), expected)
    with domain_split(model.train(), source=2, target=2):
        model(X).sum().backward()


def test_a_layer_without_running_moments_is_named_and_left() -> None:
    model = unusual.plain()
    model[1].register_buffer("running_mean", None)
    model[1].register_buffer("running_var", None)
    with pytest.warns(UserWarning, match=r"^not converted to 'rn': 1$"):
        convert_normalization(model)


def test_one_layer_under_two_names_stays_one() -> None:
    model = nn.Module()
    model.first = model.second = nn.BatchNorm2d(3)
    convert_normalization(model)
    assert model.first is model.second and model.first.num_features == 3

"""Every nesting and every stack of prefixes gives the same weights; what does not fit is named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from rn_model.backbones.weights.fitting import Fit, Wanted, best_fit
from rn_model.backbones.weights.nesting import state_dicts

FILE = Path("weights.pt")
NESTS = ["state_dict", "model_state_dict", "model", "net", "state_dict_ema", "weights", "my things"]
PREFIXES = ["module", "_orig_mod", "model", "net", "backbone", "encoder", "student", "0"]

State = dict[str, Tensor]


class Net(nn.Module):
    """A network whose own names contain one of the wrappers' names, if wanted."""

    def __init__(self, inner: str) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.add_module(inner, nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3)))


def state_of(seed: int, inner: str = "layer") -> State:
    """Weights of a network, different for every seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return dict(Net(inner).state_dict())


def fit(content: Any, inner: str = "layer", **options: Any) -> Fit:
    """The fit of a file's content to the network."""
    return best_fit(state_dicts(content), Wanted(Net(inner), **options), FILE)


def prefixed(state: State, *prefixes: str) -> State:
    """A state dict with prefixes before its names."""
    return {".".join([*prefixes, name]): value for name, value in state.items()}


def same(found: Fit, state: State) -> bool:
    """Whether a fit has just these tensors."""
    return set(found.state) == set(state) and all(
        torch.equal(found.state[name], value) for name, value in state.items()
    )


OPTIMIZER = {
    "state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.ones(4)}},
    "param_groups": [{"lr": 0.1, "params": [0]}],
}
BESIDE: list[Callable[[Any], Any]] = [
    lambda content: content,
    lambda content: {"epoch": 3, "loss": torch.tensor(0.1), "content": content},
    lambda content: {"optimizer": OPTIMIZER, "content": content},
    lambda content: {"optimizer": {"adam": OPTIMIZER}, "callbacks": {}, "content": content},
    lambda content: (content, OPTIMIZER),
]


@given(
    nests=st.lists(st.sampled_from(NESTS), max_size=4),
    prefixes=st.lists(st.sampled_from(PREFIXES), max_size=4),
    beside=st.sampled_from(BESIDE),
    inner=st.sampled_from(["layer", "module", "model"]),
    counts=st.booleans(),
)
def test_any_nesting_and_any_prefixes(
    nests: list[str], prefixes: list[str], beside: Callable[[Any], Any], inner: str, counts: bool
) -> None:
    state = state_of(1, inner)
    if not counts:
        state = {name: value for name, value in state.items() if "num_batches" not in name}
    content: Any = prefixed(state, *prefixes)
    for nest in nests:
        content = {nest: content}
    assert same(fit(beside(content), inner), state)


@given(prefixes=st.lists(st.sampled_from(PREFIXES), max_size=3), nested=st.booleans())
def test_averaged_models(prefixes: list[str], nested: bool) -> None:
    net = Net("layer")
    saved = prefixed(dict(AveragedModel(net).state_dict()), *prefixes)
    assert same(fit({"swa": saved} if nested else saved), dict(net.state_dict()))


@given(wrapper=st.sampled_from(["_orig_mod", "module", "_checkpoint_wrapped_module"]))
def test_wrappers_of_a_part(wrapper: str) -> None:
    state = state_of(1)
    saved = {name.replace("layer.", f"layer.{wrapper}."): v for name, v in state.items()}
    assert same(fit(saved), state)


def test_lightning_with_a_loss_and_a_teacher_of_another_shape() -> None:
    state = state_of(1)
    saved = prefixed(state, "model") | {
        "loss.weight": torch.ones(3),
        "teacher.conv.bias": torch.ones(9),
    }
    content = {"state_dict": saved, "pytorch-lightning_version": "2.4.0", "hyper_parameters": {}}
    found = fit(content)
    assert same(found, state)
    assert found.place == "state_dict: model."


@pytest.mark.parametrize(
    "content",
    [
        {"state_dict": state_of(1), "state_dict_ema": state_of(2)},
        {"model_ema": prefixed(state_of(2), "module"), "model": state_of(1)},
        {"state_dict": prefixed(state_of(1), "net") | prefixed(state_of(2), "net_ema", "module")},
    ],
)
def test_averages_of_the_weights_are_preferred(content: Any) -> None:
    assert same(fit(content), state_of(2))


def test_several_different_weights_that_fit_are_refused() -> None:
    content = {"student": state_of(1), "teacher": state_of(2)}
    with pytest.raises(
        ValueError, match=r"several weights that fit the network: student, teacher;"
    ):
        fit(content)
    assert same(fit({"student": state_of(1), "best": state_of(1)}), state_of(1))


def test_ignored_modules_are_left_out_under_any_prefix() -> None:
    state = state_of(1)
    head = {"fc.weight": torch.ones(2, 4), "fc.bias": torch.ones(2)}
    assert same(fit(prefixed(state | head, "module", "model"), ignored=["fc"]), state)
    with pytest.raises(ValueError, match=r"unexpected fc\.weight, fc\.bias"):
        fit(prefixed(state | head, "model"))


def _message(content: Any) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011, the whole message is compared
        fit(content)
    return str(caught.value)


def test_the_nearest_fit_is_named() -> None:
    state = state_of(1)
    del state["layer.1.bias"]
    state["conv.bias"] = torch.ones(7)
    content = {
        "epoch": torch.tensor(1),
        "net": prefixed(state, "my"),
        "other": {"conv.bias": torch.ones(4)},
    }
    assert _message(content) == (
        "weights.pt does not fit the network: 6 of 8 tensors fit at net: my.; missing layer.1.bias;"
        " wrong shape: conv.bias (7,) instead of (4,)"
    )


def test_the_names_that_were_seen_are_listed_if_none_fits() -> None:
    content = {"a": {f"layer{number}.w": torch.ones(1) for number in range(5)}}
    assert _message(content) == (
        "weights.pt does not fit the network: it has layer0.w, layer1.w, layer2.w and 2 more; the"
        " network needs conv.weight, conv.bias, layer.0.weight and 5 more"
    )

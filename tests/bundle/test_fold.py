import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bundle.fold import along_channels, fold_input, fold_output, fold_site, fold_sites, site_problem
from bundle.manifest import Site
from bundle.moments import Vector

Run = Callable[[Tensor, Tensor, Tensor], Tensor]
CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


class Layer(NamedTuple):
    """A layer that computes ``run(x, weight, bias)``."""

    run: Run
    x: Tensor
    weight: Tensor
    bias: Tensor
    axis: int
    groups: int


def normal(generator: np.random.Generator, *shape: int) -> Tensor:
    return torch.from_numpy(generator.normal(size=shape))


@st.composite
def convolutions(draw: st.DrawFn, transposed: bool = False, padding: bool = True) -> Layer:
    groups, inputs, outputs, kernel, stride = (draw(st.integers(1, 3)) for _ in range(5))
    dimensions = draw(st.integers(1, 3))
    pad = draw(st.integers(0, kernel - 1)) if padding else 0
    generator = np.random.default_rng(draw(st.integers(0, 2**16)))
    run = (TRANSPOSED if transposed else CONVOLUTIONS)[dimensions]
    sizes = [kernel] * dimensions
    first, second = (inputs * groups, outputs) if transposed else (outputs * groups, inputs)
    return Layer(
        lambda x, w, b: run(x, w, b, stride, pad, groups=groups),
        normal(generator, 2, inputs * groups, *[4] * dimensions),
        normal(generator, first, second, *sizes),
        normal(generator, outputs * groups),
        1 if transposed else 0,
        groups if transposed else 1,
    )


@st.composite
def linear_layers(draw: st.DrawFn) -> Layer:
    inputs, outputs, tokens = (draw(st.integers(1, 4)) for _ in range(3))
    generator = np.random.default_rng(draw(st.integers(0, 2**16)))
    x, bias = normal(generator, 2, tokens, inputs), normal(generator, outputs)
    if draw(st.booleans()):
        weight = normal(generator, outputs, inputs)
        return Layer(F.linear, x, weight, bias, 0, 1)
    weight = normal(generator, inputs, outputs)
    return Layer(lambda x, w, b: x @ w + b, x, weight, bias, 1, 1)


def spread(vector: Vector, dims: int, axis: int) -> Tensor:
    shape = [1] * dims
    shape[axis] = -1
    return torch.from_numpy(vector).view(shape)


def float_folded(
    fold: Callable[..., tuple[np.ndarray, np.ndarray]],
    layer: Layer,
    axis: int,
    groups: int,
    *a: Vector,
) -> list[Tensor]:
    weight, bias = layer.weight.float().numpy(), layer.bias.float().numpy()
    folded = fold(weight, bias, *a, axis, groups)
    assert all(array.dtype == np.float32 for array in folded)
    return [torch.from_numpy(array).double() for array in folded]


def check(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@settings(max_examples=60)
@given(
    layer=st.one_of(convolutions(), convolutions(transposed=True), linear_layers()),
    seed=st.integers(0, 2**16),
)
def test_a_norm_after_a_layer_is_folded_into_it(layer: Layer, seed: int) -> None:
    scale, shift = np.random.default_rng(seed).normal(size=(2, len(layer.bias)))
    y = layer.run(layer.x, layer.weight, layer.bias)
    channel = 1 if layer.weight.dim() > 2 else y.dim() - 1
    expected = spread(scale, y.dim(), channel) * y + spread(shift, y.dim(), channel)
    weight, bias = float_folded(fold_output, layer, layer.axis, layer.groups, scale, shift)
    check(layer.run(layer.x, weight, bias), expected)


@settings(max_examples=60)
@given(layer=st.one_of(convolutions(padding=False), linear_layers()), seed=st.integers(0, 2**16))
def test_a_norm_before_a_layer_is_folded_into_it(layer: Layer, seed: int) -> None:
    convolution = layer.weight.dim() > 2
    channel = 1 if convolution else layer.x.dim() - 1
    channels = layer.x.shape[channel]
    groups = channels // layer.weight.shape[1] if convolution else 1
    scale, shift = np.random.default_rng(seed).normal(size=(2, channels))
    x = spread(scale, layer.x.dim(), channel) * layer.x + spread(shift, layer.x.dim(), channel)
    expected = layer.run(x, layer.weight, layer.bias)
    weight, bias = float_folded(fold_input, layer, 1 - layer.axis, groups, scale, shift)
    check(layer.run(layer.x, weight, bias), expected)


def test_folding_adds_up_in_double_precision() -> None:
    weight = np.array([[1e8, 1.0, -1e8]], np.float32)
    one = np.ones(3)
    _, bias = fold_input(weight, np.zeros(1, np.float32), one, one, 1)
    np.testing.assert_array_equal(bias, [1])
    _, bias = fold_output(weight.T, np.full(3, 1e8, np.float32), one, one - 1e8, 0)
    np.testing.assert_array_equal(bias, [1, 1, 1])


def test_channels_of_groups_follow_one_another_along_the_other_axis() -> None:
    vector = np.arange(6.0)
    found = along_channels(vector, (4, 3, 5), 1, 2)
    np.testing.assert_array_equal(found[..., 0], [[0, 1, 2], [0, 1, 2], [3, 4, 5], [3, 4, 5]])
    np.testing.assert_array_equal(along_channels(vector, (3, 4), 0, 2), found[..., 0].T)
    assert along_channels(vector, (6, 2, 1, 1), 0, 1).shape == (6, 1, 1, 1)


def vectors() -> tuple[Vector, Vector]:
    return np.arange(1.0, 8.0), np.arange(10.0, 17.0)


def test_every_site_takes_its_part_of_the_flat_vectors() -> None:
    folded = Site(name="a", channels=2, offset=0, weight="w", bias="b")
    explicit = Site(name="c", channels=3, offset=2, scale="s", shift="t")
    before = Site(name="d", channels=2, offset=5, weight="v", bias="c", side="input", axis=1)
    base = {
        "w": np.ones((2, 1), np.float32),
        "b": np.full(2, 7, np.float32),
        "s": np.zeros((3, 1, 1), np.float32),
        "t": np.zeros((3, 1, 1), np.float32),
        "v": np.ones((1, 2), np.float32),
        "c": np.full(1, 7, np.float32),
        "other": np.zeros(1, np.float32),
    }
    found = fold_sites([folded, explicit, before], base, *vectors())
    expected = {
        "w": [[1], [2]],
        "b": [17, 25],
        "s": [[[3]], [[4]], [[5]]],
        "t": [[[12]], [[13]], [[14]]],
        "v": [[6, 7]],
        "c": [7 + 15 + 16],
    }
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], value)
    np.testing.assert_array_equal(fold_site(folded, base, *vectors())["b"], [17, 25])
    np.testing.assert_array_equal(base["b"], [7, 7])


def site(side: str, axis: int, groups: int) -> Site:
    return Site.model_validate(
        {
            "name": "a", "channels": 6, "offset": 0, "weight": "w", "bias": "b",
            "side": side, "axis": axis, "groups": groups,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("side", "axis", "groups", "weight", "bias", "problem"),
    [
        ("output", 0, 1, (6, 2), (6,), None),
        ("output", 1, 2, (4, 3, 1), (6,), None),
        ("input", 1, 2, (4, 3, 1), (4,), None),
        ("input", 0, 1, (6, 2), (2,), None),
        ("output", 0, 1, (6,), (6,), "'w' must have 6 channels along axis 0 in 1 groups"),
        ("output", 1, 1, (6, 2), (6,), "'w' must have 6 channels along axis 1 in 1 groups"),
        ("output", 1, 2, (3, 3), (6,), "'w' must have 6 channels along axis 1 in 2 groups"),
        ("input", 1, 1, (4, 6), (6,), r"'b' must have shape \(4,\), not \(6,\)"),
        ("output", 0, 1, (6, 2), (6, 1), r"'b' must have shape \(6,\), not \(6, 1\)"),
    ],
)
def test_arrays_that_do_not_fit_a_site_are_reported(
    side: str,
    axis: int,
    groups: int,
    weight: Sequence[int],
    bias: Sequence[int],
    problem: str | None,
) -> None:
    shapes = {"w": weight, "b": bias}
    found = site_problem(site(side, axis, groups), shapes)
    if problem is None:
        assert found is None
        zeros = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        folded = fold_site(site(side, axis, groups), zeros, np.ones(6), np.ones(6))
        assert {name: array.shape for name, array in folded.items()} == shapes
    else:
        assert found is not None and re.match(problem, found)


def test_explicit_arrays_must_hold_the_channels() -> None:
    explicit = Site(name="a", channels=3, offset=0, scale="s", shift="t")
    assert site_problem(explicit, {"s": (3, 1, 1), "t": (3, 1, 1)}) is None
    found = site_problem(explicit, {"s": (3, 1, 1), "t": (3, 2, 1)})
    assert found == "'t' must hold 3 channels, not shape (3, 2, 1)"

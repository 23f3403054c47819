import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from bundle.fold import fold_affine, fold_site, fold_sites
from bundle.manifest import Site
from bundle.moments import Vector


@pytest.mark.parametrize(
    ("layer", "groups", "axis"),
    [
        ("conv", 1, 0),
        ("conv", 2, 0),
        ("conv", 4, 0),
        ("transposed", 1, 1),
        ("linear", 1, 0),
        ("linear transposed", 1, 1),
    ],
)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_the_folded_layer_computes_layer_scale_and_shift(
    layer: str, groups: int, axis: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    channels = 4

    def normal(*shape: int) -> torch.Tensor:
        return torch.from_numpy(generator.normal(size=shape)).float()

    def run(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        if layer == "conv":
            return F.conv2d(x, weight, bias, groups=groups, padding=1)
        if layer == "transposed":
            return F.conv_transpose2d(x, weight, bias, stride=2)
        return F.linear(x, weight.T if axis else weight, bias)

    shapes = {
        "conv": (channels, 4 // groups, 3, 3),
        "transposed": (3, channels, 2, 2),
        "linear": (channels, 5),
        "linear transposed": (5, channels),
    }
    weight, bias = normal(*shapes[layer]), normal(channels)
    inputs = {"conv": (2, 4, 5, 5), "transposed": (2, 3, 4, 4)}.get(layer, (2, 5))
    x = normal(*inputs)
    scale, shift = generator.normal(size=(2, channels))
    folded = fold_affine(weight.numpy(), bias.numpy(), scale, shift, axis)
    assert all(array.dtype == np.float32 for array in folded)
    view = (1, -1, *[1] * (x.dim() - 2))
    expected = torch.from_numpy(scale).float().view(view) * run(x, weight, bias)
    expected += torch.from_numpy(shift).float().view(view)
    torch.testing.assert_close(
        run(x, *map(torch.from_numpy, folded)), expected, rtol=1e-4, atol=1e-4
    )


def vectors() -> tuple[Vector, Vector]:
    return np.arange(1.0, 6.0), np.arange(10.0, 15.0)


def test_every_site_takes_its_part_of_the_flat_vectors() -> None:
    folded = Site(name="a", channels=2, offset=0, weight="w", bias="b")
    explicit = Site(name="c", channels=3, offset=2, scale="s", shift="t")
    base = {
        "w": np.ones((2, 1), np.float32),
        "b": np.full(2, 7, np.float32),
        "s": np.zeros((3, 1, 1), np.float32),
        "t": np.zeros((3, 1, 1), np.float32),
        "other": np.zeros(1, np.float32),
    }
    found = fold_sites([folded, explicit], base, *vectors())
    expected = {
        "w": [[1], [2]],
        "b": [17, 25],
        "s": [[[3]], [[4]], [[5]]],
        "t": [[[12]], [[13]], [[14]]],
    }
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], value)
    np.testing.assert_array_equal(fold_site(folded, base, *vectors())["b"], [17, 25])
    np.testing.assert_array_equal(base["b"], [7, 7])

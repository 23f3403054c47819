import pytest
import torch
from torch import nn

from rn_model import ReciprocalNorm2d, domain_norms, domain_split
from rn_model.layers.domains import Split


def network() -> nn.Module:
    return nn.Sequential(ReciprocalNorm2d(3), nn.Sequential(nn.ReLU(), ReciprocalNorm2d(3)))


def splits(model: nn.Module) -> set[Split | None]:
    return {layer.split for _, layer in domain_norms(model)}


def test_every_layer_knows_the_split_within_the_block_only() -> None:
    model = network()
    with domain_split(model, source=3, target=2):
        assert splits(model) == {Split(3, 2)}
        assert model(torch.randn(5, 3, 2, 2)).shape == (5, 3, 2, 2)
    assert splits(model) == {None}


def test_blocks_nest() -> None:
    model = network()
    with domain_split(model, source=3, target=2):
        with domain_split(model[1], source=4, target=4):  # type: ignore[index]
            assert splits(model) == {Split(3, 2), Split(4, 4)}
        assert splits(model) == {Split(3, 2)}


def test_an_error_ends_the_split_too() -> None:
    model = network()
    with (
        pytest.raises(ValueError, match="the batch has 7"),
        domain_split(model, source=3, target=2),
    ):
        model(torch.randn(7, 3, 2, 2))
    assert splits(model) == {None}


@pytest.mark.parametrize(("source", "target"), [(-1, 3), (3, -1), (0, 0)])
def test_impossible_sizes_are_refused(source: int, target: int) -> None:
    message = f"into {source} source and {target} target images"
    with (
        pytest.raises(ValueError, match=message),
        domain_split(network(), source=source, target=target),
    ):
        pass

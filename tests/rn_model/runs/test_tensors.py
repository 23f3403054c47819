"""The tensors of networks as a file, however they share memory."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load
from torch import Tensor, nn

from rn_model.layers import Normalization, NormalizationName, convert_normalization
from rn_model.runs.tensors import encode_tensors
from rn_model.training.records.source_weights import SOURCE_WEIGHTS, load_source, save_source


class Tied(nn.Module):
    """Two convolutions of one weight, two BatchNorms of one weight, and a classifier under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
        self.two.weight = self.one.weight
        self.norm, self.other = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
        self.other.weight = self.norm.weight
        self.alias = self.norm
        self.head = self.classifier = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.other(self.two(self.alias(self.one(x)).relu()))
        logits: Tensor = self.head(x.mean((2, 3)))
        return logits


def _converted(seed: int, kind: NormalizationName = "rn") -> nn.Module:
    torch.manual_seed(seed)
    model = convert_normalization(Tied(), Normalization(kind=kind))
    for value in model.state_dict().values():
        if value.is_floating_point():
            nn.init.uniform_(value, 0.5, 1)
    return model


def test_tied_tensors_are_written_and_loaded() -> None:
    old, new = _converted(0), _converted(1)
    new.load_state_dict(load(encode_tensors(old.state_dict())))
    for name, value in old.state_dict().items():
        torch.testing.assert_close(new.state_dict()[name], value)
    assert new.get_parameter("one.weight") is new.get_parameter("two.weight")
    assert new.get_submodule("norm") is new.get_submodule("alias")


def test_views_of_one_tensor_are_written_whole() -> None:
    whole = torch.arange(12.0).reshape(3, 4)
    state = {"whole": whole, "turned": whole.T, "row": whole[1], "empty": whole[:0]}
    found = load(encode_tensors(state))
    assert found.keys() == state.keys()
    for name, value in state.items():
        torch.testing.assert_close(found[name], value)


@pytest.mark.parametrize("kind", ["bn", "rn", "dsbn"])
def test_the_source_stage_of_a_tied_network_starts_another(
    tmp_path: Path, kind: NormalizationName
) -> None:
    old, new = _converted(0, "bn"), _converted(1, kind)
    save_source(tmp_path, old)
    load_source(tmp_path / SOURCE_WEIGHTS, new)
    torch.testing.assert_close(
        new.get_buffer("alias.running_mean_target"), old.get_buffer("norm.running_mean_source")
    )
    torch.testing.assert_close(new.get_parameter("two.weight"), old.get_parameter("one.weight"))


def test_state_that_is_not_a_dense_tensor_is_named() -> None:
    with pytest.raises(
        ValueError,
        match=r"^part\._extra_state of the network is a dict, not a tensor, so it cannot",
    ):
        encode_tensors({"part._extra_state": {}})
    with pytest.raises(
        ValueError, match=r"^mask of the network is not a dense tensor \(torch\.spar"
    ):
        encode_tensors({"mask": torch.eye(2).to_sparse()})

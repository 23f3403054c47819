import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from rn_model.backbones.extractor import (
    count_features,
    drop_classifier,
    import_library,
    output_of,
)


class Sized(nn.Module):
    """A network that only accepts images of one size."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2:] != (self.size, self.size):
            raise ValueError(f"images must have {self.size} rows and columns")
        return x.flatten(2).mean(2)


class Pair(nn.Module):
    """A network that returns two tensors."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


@pytest.mark.parametrize("size", [64, 224])
def test_two_sizes_are_tried(size: int) -> None:
    assert output_of(Sized(size), 3).shape == (1, 3)


def test_a_network_for_no_such_images_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"shape \(3, 224, 224\): images must have 7 rows"):
        output_of(Sized(7), 3)
    with pytest.raises(ValueError, match=r"shape \(3, 9, 8\): "):
        output_of(Sized(7), 3, (9, 8))


def test_looking_at_the_output_changes_nothing() -> None:
    model = nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert count_features(model, 3) == 2
    assert model.training and model[1].training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_features_of_another_form_are_an_error() -> None:
    with pytest.raises(ValueError, match="returns a tuple, not one tensor"):
        count_features(Pair(), 3)
    with pytest.raises(ValueError, match=r"\(N, F\) or \(N, F, h, w\), not \(1, 3, 4096\)"):
        count_features(nn.Flatten(2), 3)


def test_the_last_linear_layer_is_the_classifier() -> None:
    extractor = drop_classifier(nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 4))))
    assert extractor.heads == ("1.0",)
    assert extractor.module(torch.zeros(1, 2)).shape == (1, 3)
    with pytest.raises(ValueError, match="is a single linear layer"):
        drop_classifier(nn.Linear(2, 3))


def test_a_missing_library_is_an_error_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ValueError, match=r"timm is not installed: .*reciprocal-norm\[backbones\]"):
        import_library("timm")


def test_a_broken_library_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "brokenlibrary.py").write_text("raise RuntimeError('built for\\nanother version')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="cannot be imported: built for another version"):
        import_library("brokenlibrary")

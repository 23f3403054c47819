from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from torch import distributed, nn

from rn_model.backbones.classifier import classifier_input, final_linear, final_linear_name


class Wrapper(nn.Module):
    """A wrapper that calls the network in it."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x)  # type: ignore[no-any-return]


def _model() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), Wrapper(nn.Linear(4, 2)))


def test_the_tap_holds_what_enters_the_last_linear_layer() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    x = torch.randn(5, 3)
    with classifier_input(model) as tap:
        model(x)
    torch.testing.assert_close(tap.features, model[:2](x))
    assert tap.features.requires_grad


def test_the_last_linear_layer_may_be_wrapped() -> None:
    model = _model()
    x = torch.randn(5, 3)
    with classifier_input(Wrapper(model)) as tap:
        model(x)
    torch.testing.assert_close(tap.features, model[:2](x))
    assert final_linear_name(Wrapper(model)) == "inner.2.inner"


def test_the_network_may_be_set_up_by_fabric() -> None:
    model = _model()
    wrapped = Fabric(accelerator="cpu", devices=1).setup(model)
    x = torch.randn(5, 3)
    with classifier_input(wrapped) as tap:
        wrapped(x)
    assert final_linear(wrapped) is model[2].inner
    torch.testing.assert_close(tap.features, model[:2](x))


def test_the_network_may_be_distributed(tmp_path: Path) -> None:
    model = _model()
    x = torch.randn(5, 3)
    distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1
    )
    try:
        wrapped = nn.parallel.DistributedDataParallel(model)
        with classifier_input(wrapped) as tap:
            wrapped(x)
    finally:
        distributed.destroy_process_group()
    assert final_linear(wrapped) is model[2].inner
    torch.testing.assert_close(tap.features, model[:2](x))


def test_the_network_may_be_compiled() -> None:
    model = _model()
    compiled = torch.compile(model, backend="eager")
    for size in (5, 5, 6):
        x = torch.randn(size, 3)
        with classifier_input(compiled) as tap:  # type: ignore[arg-type]
            compiled(x)
        torch.testing.assert_close(tap.features, model[:2](x))


def test_no_hook_stays_behind() -> None:
    model = nn.Sequential(nn.Linear(3, 2))
    with classifier_input(model) as tap:
        pass
    model(torch.randn(1, 3))
    assert tap.features.numel() == 0


def test_a_network_without_linear_layer_is_an_error() -> None:
    with pytest.raises(ValueError, match="no linear layer"):
        final_linear(nn.Sequential(nn.Conv2d(1, 1, 1)))

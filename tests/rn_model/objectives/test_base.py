"""Properties that all objectives have."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from rn_model.objectives import (
    OBJECTIVES,
    Batch,
    Objective,
    ObjectiveConfig,
    ObjectiveName,
    make_objective,
)
from tests.rn_model.objectives.numerics import CLASSES, FEATURES, IMAGES, make_batch, refresh

EVERY = pytest.mark.parametrize("name", list(OBJECTIVES))
BOTH_DOMAINS: list[ObjectiveName] = ["dann", "cdan", "cdan+e", "etn", "ba3us"]


def _make(name: ObjectiveName, *, refreshed: bool = True) -> Objective:
    torch.manual_seed(0)
    config = ObjectiveConfig(name=name)
    objective = make_objective(
        config, num_features=FEATURES, num_classes=CLASSES, num_target=IMAGES
    )
    if refreshed:
        refresh(objective)
    return objective


@EVERY
@pytest.mark.parametrize("scale", [1.0, 1e4])
@pytest.mark.parametrize("target", [1, 4])
def test_loss_and_gradients_are_finite_full_precision_numbers(
    name: ObjectiveName, scale: float, target: int
) -> None:
    objective = _make(name)
    batch = make_batch(0 if objective.source_free else 3, target, scale=scale)
    with torch.autocast("cpu", torch.bfloat16):
        loss = objective(batch)
    assert loss.shape == () and loss.dtype == torch.float32
    loss.backward()
    gradients = [batch.logits.grad, batch.features.grad]
    gradients += [parameter.grad for parameter in objective.parameters()]
    found = [gradient for gradient in gradients if gradient is not None]
    assert found and all(torch.isfinite(gradient).all() for gradient in found)
    assert torch.isfinite(loss)


@EVERY
def test_half_precision_inputs_are_computed_in_full_precision(name: ObjectiveName) -> None:
    objective = _make(name)
    batch = make_batch(0 if objective.source_free else 3, 4)
    half = replace(batch, logits=batch.logits.bfloat16(), features=batch.features.bfloat16())
    rounded = replace(batch, logits=half.logits.float(), features=half.features.float())
    assert objective(half).item() == objective(rounded).item()


@EVERY
def test_every_parameter_learns(name: ObjectiveName) -> None:
    objective = _make(name)
    objective(make_batch(0 if objective.source_free else 3, 4)).backward()
    assert all(parameter.grad is not None for parameter in objective.parameters())


@EVERY
def test_a_checkpoint_holds_the_whole_state(name: ObjectiveName) -> None:
    objective = _make(name)
    torch.manual_seed(1)
    other = make_objective(
        ObjectiveConfig(name=name), num_features=FEATURES, num_classes=CLASSES, num_target=IMAGES
    )
    other.load_state_dict(objective.state_dict())
    batch = make_batch(0 if objective.source_free else 3, 4)
    assert other(batch).item() == objective(batch).item()


@EVERY
def test_source_weights_are_one_an_image_without_gradient(name: ObjectiveName) -> None:
    weight = _make(name).source_weight(make_batch(6, 4))
    assert (weight is not None) == (name in ("etn", "ba3us"))
    if weight is not None:
        assert weight.shape == (6,)
        assert not weight.requires_grad
        assert (weight >= 0).all() and weight.sum() > 0


class _Certain(Objective):
    """An objective whose weights depend on the network's outputs."""

    def loss(self, batch: Batch) -> Tensor:
        return batch.logits.sum()

    def weighting(self, batch: Batch) -> Tensor:
        return batch.logits[: batch.source].exp().sum(dim=1)


def test_no_gradient_flows_through_source_weights() -> None:
    weight = _Certain().source_weight(make_batch(6, 4))
    assert weight is not None and not weight.requires_grad


@pytest.mark.parametrize("name", ["mcc", "bnm", "shot"])
def test_objectives_on_the_target_alone_ignore_the_source(name: ObjectiveName) -> None:
    objective = _make(name)
    batch = make_batch(3, 4)
    alone = replace(batch, logits=batch.logits[3:], source=0)
    assert objective(alone).item() == objective(batch).item()


@pytest.mark.parametrize("name", BOTH_DOMAINS)
@pytest.mark.parametrize(("source", "target"), [(0, 4), (4, 0)])
def test_alignment_needs_both_domains(name: ObjectiveName, source: int, target: int) -> None:
    with pytest.raises(ValueError, match="both domains are needed"):
        _make(name)(make_batch(source, target))


@pytest.mark.parametrize("name", BOTH_DOMAINS)
def test_reversal_starts_at_nothing(name: ObjectiveName) -> None:
    objective = _make(name)
    batch = make_batch(3, 4, progress=0)
    objective(batch).backward()
    assert batch.features.grad is None or not batch.features.grad.any()


@EVERY
def test_only_shot_does_without_source_images(name: ObjectiveName) -> None:
    assert OBJECTIVES[name].source_free == (name == "shot")
    assert OBJECTIVES[name].needs_refresh == (name in ("shot", "ba3us"))

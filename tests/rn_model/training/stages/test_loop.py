import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from rn_model.runs.record import WEIGHTS
from rn_model.training.records.source_weights import SOURCE_WEIGHTS
from tests.rn_model.training.running import history, tiny, trained

ONE_STEP: dict[str, Any] = {
    "training__source_steps": 0,
    "training__steps": 1,
    "training__keep": "last",
    "training__schedule": "constant",
}


def _train(folder: Path, name: str, **changes: Any) -> tuple[Path, dict[str, Tensor]]:
    out = folder / name
    trained(tiny(folder, **changes), out)
    return out, load_file(out / WEIGHTS)


def _losses(out: Path, stage: str = "adapt") -> list[float]:
    return [e["loss"] for e in history(out) if e["kind"] == "train" and e["stage"] == stage]


def test_the_source_is_learned(tmp_path: Path) -> None:
    out, _ = _train(tmp_path, "run", training__source_steps=60, training__steps=1)
    losses = _losses(out, "source")
    assert losses[-1] < 0.7 * losses[0]
    accuracy = [e["source_accuracy"] for e in history(out) if e["kind"] == "evaluation"]
    assert accuracy[-2] > 0.9


def test_the_classifier_of_source_free_training_stays_as_it_was(tmp_path: Path) -> None:
    out, after = _train(tmp_path, "run", objectives=[{"name": "shot"}], training__keep="last")
    before = load_file(out / SOURCE_WEIGHTS)
    for name in ("classifier.weight", "classifier.bias"):
        assert torch.equal(before[name], after[name])
    assert not torch.equal(before["conv.weight"], after["conv.weight"])
    entries = [e for e in history(out) if e["kind"] == "train" and e["stage"] == "adapt"]
    assert {tuple(entry["losses"]) for entry in entries} == {("shot",)}


def test_accumulated_batches_are_one_larger_batch(tmp_path: Path) -> None:
    # Without batch statistics, and with the same images in both runs: the whole set, once.
    plain = {**ONE_STEP, "objectives": [], "normalization__kind": "bn", "training__momentum": 0.0}
    plain["backbone__name"] = "tests.rn_model.training.networks:PlainNet"
    plain["task__source"] = {"path": str(tmp_path / "source.npz"), "draw": {"count": 24}}
    _, whole = _train(tmp_path, "whole", **plain, training__batch_size=24)
    _, halves = _train(tmp_path, "halves", **plain, training__accumulate=2)
    _, half = _train(tmp_path, "half", **plain)
    for name in ("conv.weight", "conv.bias", "classifier.weight", "classifier.bias"):
        torch.testing.assert_close(halves[name], whole[name], rtol=1e-4, atol=1e-6)
    assert not torch.allclose(half["classifier.weight"], whole["classifier.weight"], atol=1e-5)


def test_clipped_gradients_move_the_network_no_further(tmp_path: Path) -> None:
    limit = {"training__momentum": 0.0, "training__weight_decay": 0.0, "training__clip": 1e-3}
    rates = {"training__backbone_rate": 1.0, "training__learning_rate": 1.0}
    plain: dict[str, Any] = {**ONE_STEP, **limit, **rates, "normalization__kind": "bn"}
    out, after = _train(tmp_path, "run", **plain)
    before = load_file(out / "source_only" / WEIGHTS)
    names = [n for n in after if "running" not in n and "num_" not in n and "share" not in n]
    square = sum(float((after[n] - before[n]).double().square().sum()) for n in names)
    assert math.sqrt(square) == pytest.approx(1e-3, rel=1e-3)


def test_half_precision_stays_finite_and_near(tmp_path: Path) -> None:
    exact, _ = _train(tmp_path, "exact", training__learning_rate=0.01)
    half, weights = _train(
        tmp_path, "half", training__learning_rate=0.01, training__precision="bf16-mixed"
    )
    assert all(bool(value.isfinite().all()) for value in weights.values())
    assert _losses(half) != _losses(exact)
    assert _losses(half) == pytest.approx(_losses(exact), rel=0.05)


def test_the_weight_of_objectives_grows(tmp_path: Path) -> None:
    weighted = [{"name": "mcc", "weight": 2.0}]
    plain: dict[str, Any] = {"training__learning_rate": 1e-6, "training__momentum": 0.0}
    out, _ = _train(tmp_path, "run", **plain, objectives=weighted, training__ramp=0.5)
    parts = [e["losses"]["mcc"] for e in history(out) if e["stage"] == "adapt" and "losses" in e]
    assert parts[0] == 0.0
    assert 0 < parts[1] < parts[2] < parts[3]
    assert parts[1] == pytest.approx(parts[3] / 3, rel=0.1)


def test_training_stops_when_the_score_no_longer_improves(tmp_path: Path) -> None:
    plain = {"training__learning_rate": 1e-12, "training__evaluate_every": 1}
    frozen: dict[str, Any] = {**plain, "normalization__kind": "bn", "training__steps": 40}
    frozen["backbone__name"] = "tests.rn_model.training.networks:PlainNet"
    out, _ = _train(tmp_path, "run", **frozen, objectives=[], training__patience=3)
    assert len(_losses(out)) < 40
    again = trained(tiny(tmp_path, **frozen, objectives=[], training__patience=3), out, resume=True)
    assert again.chosen_step == len(_losses(out)) - 3


def test_the_source_stage_has_its_own_rate(tmp_path: Path) -> None:
    out, _ = _train(tmp_path, "run", training__source_rate=0.5, training__schedule="constant")
    rates = {e["stage"]: e["learning_rate"] for e in history(out) if e["kind"] == "train"}
    assert rates == {"source": 0.025, "adapt": 0.05}

"""Which network a run keeps: the source-only one is a candidate, and a probe decides."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rn_model.runs.record import load_run
from rn_model.training.result import UNADAPTED, Result
from tests.rn_model.training.running import (
    CLASSES,
    assert_same_run,
    history,
    rn_adapt,
    tiny,
    trained,
    weights,
    write_arrays,
)

# The adaptation starts from a trained network and destroys it, at a far too large learning rate.
_HARMFUL: dict[str, Any] = {
    "training__source_steps": 60,
    "training__source_rate": 0.01,
    "training__learning_rate": 5.0,
}


def _evaluations(out: Path) -> list[dict[str, Any]]:
    return [e for e in history(out) if e["kind"] == "evaluation" and e["stage"] == "adapt"]


def test_the_source_only_network_is_a_candidate(tmp_path: Path) -> None:
    trained(tiny(tmp_path), tmp_path / "run")
    assert [entry["step"] for entry in _evaluations(tmp_path / "run")] == [0, 0, 3, 6]
    trained(tiny(tmp_path, training__source_steps=0), tmp_path / "none")
    assert [entry["step"] for entry in _evaluations(tmp_path / "none")] == [3, 6]


@pytest.mark.parametrize("probed", [False, True])
def test_the_source_only_network_is_written_if_nothing_is_better(
    probed: bool, tmp_path: Path
) -> None:
    raw = tiny(tmp_path, **_HARMFUL)
    if probed:
        probe = write_arrays(tmp_path / "probe.npz", 30, seed=9, shift=40)
        raw["task"]["probe"] = {"path": str(probe)}
    out = tmp_path / "run"
    finished = rn_adapt(raw, out)
    assert finished.code == 0, finished.errors
    result = Result.read(out)
    assert result is not None and result.chosen_step == 0
    assert result.kept == UNADAPTED == load_run(out).record.model
    assert "The adaptation was not used. Kept the source-only network" in finished.output
    before = load_run(out / "source_only").model.state_dict()
    after = load_run(out).model.state_dict()
    same = {name for name in after if name.endswith(("weight", "bias"))}
    assert same and all(bool((after[name] == before[name]).all()) for name in same)
    assert "not used" in (out / "report.html").read_text()


def test_the_network_as_it_was_trained_is_a_candidate(tmp_path: Path) -> None:
    # Statistics of a target with a single class remove just what identifies it.
    raw = tiny(tmp_path, training__source_steps=60, training__learning_rate=0.02)
    for name, count, seed in (("target", 40, 4), ("probe", 12, 9)):
        path = write_arrays(tmp_path / f"{name}.npz", CLASSES * count, seed)
        with np.load(path) as arrays:
            np.savez(path, images=arrays["images"][::CLASSES], labels=arrays["labels"][::CLASSES])
    raw["task"]["probe"] = {"path": str(tmp_path / "probe.npz")}
    result = trained(raw, tmp_path / "run")
    entries = _evaluations(tmp_path / "run")
    assert entries[0]["probe_correct"] == 12 > entries[1]["probe_correct"]
    assert (result.kept, result.chosen_step, result.target_statistics) == ("source only", 0, False)
    assert result.before is not None and result.before.oracle_target_accuracy == 1.0
    assert weights(tmp_path / "run") == weights(tmp_path / "run" / "source_only")
    shares = result.class_shares
    assert shares is not None and shares.target[0] > 0.8 and shares.differ


def _probe(folder: Path, name: str, labels: Any) -> dict[str, str]:
    path = write_arrays(folder / f"{name}.npz", len(labels), seed=9, shift=40)
    with np.load(path) as arrays:
        images = arrays["images"]
    np.savez(path, images=images, labels=np.asarray(labels, dtype=np.uint8))
    return {"path": str(path)}


def test_a_probe_selects_and_trains_nothing(tmp_path: Path) -> None:
    changes = {"training__evaluate_every": 1, "training__source_steps": 10}
    raw = {name: tiny(tmp_path, **changes) for name in ("plain", "one", "other")}
    raw["one"]["task"]["probe"] = _probe(tmp_path, "one", np.arange(24) % CLASSES)
    raw["other"]["task"]["probe"] = _probe(tmp_path, "other", (np.arange(24) + 1) % CLASSES)
    results = {name: trained(raw[name], tmp_path / name) for name in raw}
    losses = [
        [entry["loss"] for entry in history(tmp_path / name) if entry["kind"] == "train"]
        for name in raw
    ]
    assert losses[0] == losses[1] == losses[2]
    for name in ("one", "other"):
        entries = _evaluations(tmp_path / name)
        best = max(entry["probe_correct"] for entry in entries)
        kept = {e["step"]: e["probe_correct"] for e in entries}[results[name].chosen_step]
        assert kept == best > min(entry["probe_correct"] for entry in entries)
        probe = results[name].probe
        assert probe is not None and probe.images == 24
        prints = load_run(tmp_path / name).record.fingerprints
        assert f"probe {tmp_path / name}.npz" in prints
    assert results["plain"].probe is None
    assert all("probe_correct" not in entry for entry in _evaluations(tmp_path / "plain"))


@pytest.mark.parametrize("strike", ["4:SIGINT", "5:SIGINT", "7:SIGINT"])
def test_a_run_with_a_probe_resumes_bit_for_bit(strike: str, tmp_path: Path) -> None:
    raw = tiny(tmp_path, task__probe=_probe(tmp_path, "probe", np.arange(24) % CLASSES))
    trained(raw, tmp_path / "whole")
    assert rn_adapt(raw, tmp_path / "parts", strikes=strike).code == 130
    trained(raw, tmp_path / "parts", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_a_probe_needs_labels(tmp_path: Path) -> None:
    raw = tiny(tmp_path)
    path = _probe(tmp_path, "probe", np.zeros(4))["path"]
    with np.load(path) as arrays:
        np.savez(path, images=arrays["images"])
    raw["task"]["probe"] = {"path": path}
    with pytest.raises(ValueError, match=r"probe .* has no labels"):
        trained(raw, tmp_path / "run")
    raw["task"]["probe"] = {"path": path, "labels": False}
    with pytest.raises(ValueError, match="probe needs labels"):
        trained(raw, tmp_path / "run")


def test_class_shares_are_recorded(tmp_path: Path) -> None:
    result = trained(tiny(tmp_path), tmp_path / "run")
    shares = result.class_shares
    assert shares is not None and shares == load_run(tmp_path / "run").record.class_shares
    assert shares.source == pytest.approx((16 / 47, 16 / 47, 15 / 47)) and shares.images == 47
    assert sum(shares.target) == pytest.approx(1)
    assert result.images == {"source": 47, "validation": 47, "target": 47}

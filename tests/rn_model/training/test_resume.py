from pathlib import Path
from typing import Any

import pytest

from rn_model.training.records.checkpoint import FILE as CHECKPOINT
from rn_model.training.records.checkpoint import load_checkpoint
from rn_model.training.result import FILE as RESULT
from tests.rn_model.training.running import (
    assert_same_run,
    history,
    rn_adapt,
    tiny,
    trained,
)

VIEWS = {"source": {"rotation": 20.0, "translation": 0.1}, "target": {"flip": 0.5}}
# Resumed configurations, with the training pass and the signal; the first 4 passes are on the source.
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "source": ({}, "2:SIGTERM"),
    "last of source": ({}, "4:SIGINT"),
    "adapt": ({"seed": 3}, "7:SIGINT"),
    "last of all": ({}, "10:SIGTERM"),
    "killed": ({}, "9:SIGKILL"),
    "killed in source": ({}, "4:SIGKILL"),
    "killed before a checkpoint": ({"training__checkpoint_every": 50}, "3:SIGKILL"),
    "discriminators and views": (
        {"objectives": [{"name": "cdan+e"}, {"name": "dann"}], "augmentation": VIEWS},
        "7:SIGINT",
    ),
    "pseudo-labels": ({"objectives": [{"name": "shot"}]}, "9:SIGINT"),
    "weights of classes": ({"objectives": [{"name": "ba3us"}]}, "8:SIGINT"),
    "weights of images": ({"objectives": [{"name": "etn"}]}, "9:SIGKILL"),
    "accumulated": ({"training__accumulate": 2, "objectives": [{"name": "bnm"}]}, "13:SIGINT"),
    "workers": ({"training__workers": 2, "augmentation": VIEWS}, "7:SIGINT"),
    "half precision": ({"training__precision": "bf16-mixed"}, "7:SIGINT"),
    "several sources": ({"several": True, "normalization__kind": "transnorm"}, "8:SIGTERM"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_resumed_training_is_the_same_bit_for_bit(case: str, tmp_path: Path) -> None:
    changes, strike = CASES[case]
    raw = tiny(tmp_path, **{key: value for key, value in changes.items() if key != "several"})
    if "several" in changes:
        raw["task"]["source"] = [raw["task"]["source"], {"path": str(tmp_path / "other.npz")}]
    trained(raw, tmp_path / "whole")
    out = tmp_path / "parts"
    struck = rn_adapt(raw, out, strikes=strike)
    if "SIGKILL" in strike:
        assert struck.code == -9
    else:
        assert struck.code == 130, struck.errors
        assert struck.errors.startswith("rn adapt: stopped after step")
        assert struck.errors.endswith("continue with --resume\n") and struck.errors.count("\n") == 1
    assert not (out / RESULT).exists()
    trained(raw, out, resume=True)
    assert_same_run(tmp_path / "whole", out)


def test_the_command_resumes_again_and_again(tmp_path: Path) -> None:
    raw = tiny(tmp_path)
    trained(raw, tmp_path / "whole")
    out = tmp_path / "parts"
    for number, strike in enumerate(("2:SIGINT", "2:SIGTERM", "2:SIGINT")):
        flags = ["--resume"] if number else []
        assert rn_adapt(raw, out, *flags, strikes=strike).code == 130
    trained(raw, out, resume=True)
    assert_same_run(tmp_path / "whole", out)


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    raw, out = tiny(tmp_path), tmp_path / "run"
    result = trained(raw, out)
    before = (out / RESULT).stat().st_mtime_ns
    assert trained(raw, out, resume=True) == result
    assert (out / RESULT).stat().st_mtime_ns == before


def test_a_signal_leaves_a_checkpoint_of_the_current_step(tmp_path: Path) -> None:
    out = tmp_path / "run"
    finished = rn_adapt(tiny(tmp_path), out, strikes="7:SIGINT")
    assert "stopped after step 3 of 6 (adapt)" in finished.errors
    state = load_checkpoint(out)
    assert state is not None and (state["stage"], state["step"]) == ("adapt", 3)
    assert history(out)[-1]["step"] == 3


def test_a_second_signal_stops_immediately(tmp_path: Path) -> None:
    raw, out = tiny(tmp_path), tmp_path / "run"
    finished = rn_adapt(raw, out, strikes="7:SIGINT 7:SIGINT")
    assert finished.code == 130
    assert finished.errors.startswith("rn adapt: stopped at once; --resume continues")
    assert finished.errors.count("\n") == 1
    state = load_checkpoint(out)
    assert state is not None and (state["stage"], state["step"]) == ("adapt", 2)
    assert trained(raw, out, resume=True).chosen_step > 0


def test_history_after_the_last_checkpoint_is_not_recorded_twice(tmp_path: Path) -> None:
    raw, out = tiny(tmp_path), tmp_path / "run"
    rn_adapt(raw, out, strikes="10:SIGKILL")
    assert history(out)[-1]["step"] == 5
    assert (out / CHECKPOINT).exists()
    trained(raw, out, resume=True)
    steps = [(line["stage"], line["step"]) for line in history(out) if line["kind"] == "train"]
    assert steps == [*(("source", n) for n in range(1, 5)), *(("adapt", n) for n in range(1, 7))]

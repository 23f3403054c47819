"""Several processes train like a single one, stop together, and report failures on one line."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from rn_model.runs.record import WEIGHTS
from rn_model.training.records.checkpoint import load_checkpoint
from rn_model.training.result import Result
from tests.rn_model.training.networks import STRIKES
from tests.rn_model.training.running import LONG, history, tiny, trained

ROOT = Path(__file__).parents[3]
# Runs several configurations one after another in the processes that torchrun started.
SEVERAL = """
import os, sys, yaml, torch
from pathlib import Path
from rn_model.training.errors import TrainingError
from tests.rn_model.training.running import trained
torch.set_num_threads(1)
for name in sys.argv[1:]:
    path = Path(name)
    trained(yaml.safe_load(path.read_text()), path.with_suffix(""))
try:
    trained(yaml.safe_load(path.read_text()), path.with_suffix(""))
except TrainingError as error:
    Path("again." + os.environ["RANK"]).write_text(str(error))
"""
CASES: dict[str, dict[str, Any]] = {
    "rn": {
        "training__batch_size": 13,
        "objectives": [{"name": "mcc"}, {"name": "cdan+e"}],
    },
    "bn": {"training__batch_size": 11, "normalization__kind": "bn"},
    "sources": {"training__batch_size": 9, "training__accumulate": 2, "several": True},
    "only": {"objectives": []},
    "shot": {"objectives": [{"name": "shot"}]},
}


def _configuration(folder: Path, changes: dict[str, Any]) -> dict[str, Any]:
    raw = tiny(folder, **{key: value for key, value in changes.items() if key != "several"})
    raw["training"].update(learning_rate=0.01, source_steps=3)
    if "several" in changes:
        raw["task"]["source"] = [raw["task"]["source"], {"path": str(folder / "other.npz")}]
    return raw


@contextmanager
def _torchrun(
    *arguments: str, folder: Path, strikes: str = ""
) -> Iterator["subprocess.Popen[str]"]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", STRIKES: strikes}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directories of the runs of all cases with two processes, by name."""
    folder = tmp_path_factory.mktemp("distributed")
    (folder / "several.py").write_text(SEVERAL)
    for name, changes in CASES.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(_configuration(folder, changes)))
    names = [str(folder / f"{name}.yaml") for name in CASES]
    with _torchrun("several.py", *names, folder=folder) as process:
        _, errors = process.communicate(timeout=2 * LONG)
    assert process.returncode == 0, errors
    return folder


@pytest.mark.parametrize("case", CASES)
def test_two_processes_train_what_one_does(case: str, runs: Path, tmp_path: Path) -> None:
    alone = trained(_configuration(runs, CASES[case]), tmp_path / "alone")
    together = Result.read(runs / case)
    assert together is not None and together.chosen_step == alone.chosen_step
    own, theirs = history(tmp_path / "alone"), history(runs / case)
    assert len(own) == len(theirs)
    for one, other in zip(own, theirs, strict=True):
        assert {k: one[k] for k in ("kind", "stage", "step")} == {
            k: other[k] for k in ("kind", "stage", "step")
        }
        if one["kind"] == "train":
            assert one["losses"] == pytest.approx(other["losses"], rel=1e-4, abs=1e-6)
    weights = load_file(tmp_path / "alone" / WEIGHTS)
    for name, value in load_file(runs / case / WEIGHTS).items():
        torch.testing.assert_close(value, weights[name], rtol=2e-3, atol=2e-4)


def test_a_signal_stops_all_processes_with_a_checkpoint(tmp_path: Path) -> None:
    raw = tiny(tmp_path, training__steps=100_000, training__checkpoint_every=100_000)
    raw["training"].update(evaluate_every=100_000, source_steps=0)
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(raw))
    command = ["--no-python", sys.executable, "-m", "rn", "adapt", "run.yaml"]
    out = tmp_path / "run"
    with _torchrun(*command, "--out", str(out), folder=tmp_path, strikes="3:PARENT") as process:
        _, errors = process.communicate(timeout=LONG)
    found = re.search(r"rn adapt: stopped after step (\d+) of 100000 \(adapt\)", errors)
    assert found, errors
    assert errors.count("rn adapt:") == 1
    state = load_checkpoint(out)
    assert state is not None and state["step"] == int(found[1]) < 100_000


def test_an_error_in_the_first_process_fails_all(runs: Path) -> None:
    reasons = [(runs / f"again.{rank}").read_text() for rank in range(2)]
    assert reasons[0] == reasons[1]
    assert "already contains a run: resume it, or use another directory" in reasons[0]

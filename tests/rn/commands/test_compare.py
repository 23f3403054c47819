"""Grids that are really trained."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import Result

from rn_model.compare.folder import locked
from tests.rn.calling import rn
from tests.rn_model.compare.grid import tiny_grid

# Its loss is not finite in the second step.
EXPLODES = {
    "name": "explodes",
    "objectives": [{"name": "mcc"}],
    "set": {"training.learning_rate": 1e30, "training.evaluate_every": 3},
}


def _write(path: Path, **changes: object) -> Path:
    path.write_text(yaml.safe_dump(tiny_grid(**changes)))
    return path


def _run(grid: Path, out: Path, *arguments: str) -> Result:
    return rn("compare", grid, "--out", out, *arguments)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Result]:
    folder = tmp_path_factory.mktemp("compare")
    grid = _write(folder / "grid.yaml", objectives=["source-only", EXPLODES], seeds=[0, 1])
    return grid, folder / "out", _run(grid, folder / "out", "--jobs", "2")


def test_all_runs_are_trained_but_the_one_that_fails(
    trained: tuple[Path, Path, Result],
) -> None:
    _, out, result = trained
    assert result.exit_code == 1, result.output
    rows = list(csv.DictReader((out / "results.csv").read_text().splitlines()))
    status = {(row["normalization"], row["objective"], row["seed"]): row["status"] for row in rows}
    assert len(status) == 8
    for (_, objective, _), found in status.items():
        assert found == ("failed" if objective == "explodes" else "done")
    reasons = {row["error"] for row in rows if row["status"] == "failed"}
    assert len(reasons) == 1 and "the loss" in reasons.pop()
    assert "rn compare: 4 runs failed; run the same command to try them again" in result.output
    assert "8/8" in result.output and "failed: the loss" in result.output


def test_accuracies_are_those_of_the_runs(trained: tuple[Path, Path, Result]) -> None:
    _, out, _ = trained
    accuracies = [
        json.loads((out / f"digits/rn/source-only/seed-{seed}/result.json").read_text())[
            "oracle_target_accuracy"
        ]
        for seed in (0, 1)
    ]
    mean = sum(accuracies) / 2
    deviation = abs(accuracies[0] - accuracies[1]) / 2**0.5
    row = f"| rn | {100 * mean:.1f} +- {100 * deviation:.1f} | failed |"
    assert row in (out / "table.md").read_text()


def test_the_source_is_trained_once_for_a_task_and_seed(trained: tuple[Path, Path, Result]) -> None:
    _, out, _ = trained
    assert sorted(path.parent.name for path in out.rglob("source.safetensors")) == [
        "seed-0",
        "seed-1",
    ]
    for history in (out / "digits/rn").rglob("history.jsonl"):
        assert {json.loads(line)["stage"] for line in history.read_text().splitlines()} == {"adapt"}


def test_finished_runs_leave_no_checkpoint(trained: tuple[Path, Path, Result]) -> None:
    _, out, _ = trained
    left = {path.parent.parent.name for path in out.rglob("checkpoint.pt")}
    assert left <= {"explodes"}
    assert not list(out.rglob("report.html")) and not list(out.rglob("tensorboard"))


def test_the_same_command_trains_only_what_is_missing(trained: tuple[Path, Path, Result]) -> None:
    grid, out, _ = trained
    before = {path: path.stat().st_mtime_ns for path in out.rglob("result.json")}
    other = _write(grid.with_name("more.yaml"), objectives=["source-only", "mcc"], seeds=[0, 1])
    result = _run(other, out, "--only", "rn/mcc/seed-1", "--reports", "--keep-checkpoints")
    assert result.exit_code == 0, result.output
    new = out / "digits/rn/mcc/seed-1"
    assert set(out.rglob("result.json")) == {*before, new / "result.json"}
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (new / "report.html").is_file() and (new / "checkpoint.pt").is_file()
    assert "1/1  digits/rn/mcc/seed-1  oracle" in result.output


def test_the_table_trains_nothing(trained: tuple[Path, Path, Result]) -> None:
    grid, out, _ = trained
    shown = _run(grid, out, "--table")
    assert shown.exit_code == 0, shown.output
    assert "4 of 8 runs are done, 4 failed and 0 are missing" in shown.output
    assert "/8  digits" not in shown.output


def test_runs_with_another_configuration_are_not_mixed_in(
    trained: tuple[Path, Path, Result],
) -> None:
    grid, out, _ = trained
    result = _run(grid, out, "--set", "training.label_smoothing=0.2")
    assert result.exit_code == 1
    assert "cannot resume" in result.output
    assert "training.label_smoothing was 0.1, now 0.2" in " ".join(result.output.split())


def test_two_do_not_train_in_one_folder(trained: tuple[Path, Path, Result]) -> None:
    grid, out, _ = trained
    with locked(out):
        result = _run(grid, out)
    assert result.exit_code == 1
    assert "another comparison is running in" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "nothing"], "no run of the grid contains 'nothing' in its path"),
        (["--set", "training.stepz=3"], "task digits: training.stepz: unknown setting"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    result = _run(_write(tmp_path / "grid.yaml"), tmp_path / "out", *arguments)
    assert result.exit_code == 1
    assert message in result.output and result.output.startswith("rn compare: ")
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    result = _run(_write(tmp_path / "grid.yaml"), tmp_path)
    assert result.exit_code == 1
    assert "is not the directory of a comparison" in result.output


def test_an_interrupted_grid_goes_on(tmp_path: Path) -> None:
    steps = {"training.steps": 300, "training.checkpoint_every": 300}
    _write(tmp_path / "grid.yaml", set=steps, normalizations=["rn"], objectives=["mcc"])
    arguments = [sys.executable, "-m", "rn", "compare", "grid.yaml", "--out", "out"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert "trained on the source" in process.stdout.readline()
        # The cell begins now.
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 130, errors
    assert errors == "rn compare: stopped after 0 of 1 runs; run the same command to resume\n"
    cell = tmp_path / "out/digits/rn/mcc/seed-0"
    assert not (cell / "result.json").exists()
    source = (tmp_path / "out/digits/source/seed-0/source.safetensors").stat().st_mtime_ns
    result = _run(tmp_path / "grid.yaml", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert json.loads((cell / "result.json").read_text())["steps"] == 300
    assert source == (tmp_path / "out/digits/source/seed-0/source.safetensors").stat().st_mtime_ns

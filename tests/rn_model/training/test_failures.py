"""Failures in the middle of a training keep the last checkpoint and are reported on one line."""

import io
import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from rn_model.training.errors import TrainingError
from rn_model.training.records.checkpoint import FILE as CHECKPOINT
from rn_model.training.records.checkpoint import load_checkpoint
from rn_model.training.records.history import FILE as HISTORY
from rn_model.training.records.history import LOGS
from rn_model.training.result import FILE as RESULT
from rn_model.training.run import train
from tests.rn_model.data.pictures import class_folders, flat_folder
from tests.rn_model.training.running import (
    Finished,
    assert_same_run,
    config,
    history,
    rn_adapt,
    tiny,
    trained,
    write_arrays,
)


def _assert_one_line(finished: Finished) -> None:
    assert finished.code == 1
    assert finished.errors.startswith("rn adapt: ") and finished.errors.count("\n") == 1


def _at(out: Path) -> tuple[str, int]:
    state = load_checkpoint(out)
    assert state is not None
    return state["stage"], state["step"]


def test_a_loss_that_is_not_finite_stops_the_training(tmp_path: Path) -> None:
    out = tmp_path / "run"
    raw = tiny(tmp_path, training__learning_rate=1e30, training__source_rate=1e-30)
    raw["training"]["checkpoint_every"] = 1
    finished = rn_adapt(raw, out)
    _assert_one_line(finished)
    assert "the loss 'cross_entropy' is nan in step 2 of 6 (adapt)" in finished.errors
    assert "training.learning_rate" in finished.errors
    assert _at(out) == ("adapt", 1)
    assert not (out / RESULT).exists()


def test_a_diverged_run_resumes_with_a_lower_rate(tmp_path: Path) -> None:
    raw, out = tiny(tmp_path, training__learning_rate=1e12), tmp_path / "run"
    raw["training"] |= {"source_rate": 1e-13, "ramp": 1.0, "checkpoint_every": 4}
    finished = rn_adapt(raw, out)
    _assert_one_line(finished)
    assert _at(out) == ("source", 4)
    finished = rn_adapt(raw, out, "--resume", "--set", "training.learning_rate=0.05")
    assert finished.code == 0, finished.errors
    line = "training.learning_rate was 1000000000000.0, now 0.05"
    assert f"from step 4 on: {line}" in finished.output
    noted = [entry for entry in history(out) if entry["kind"] == "amendment"]
    assert noted == [{"kind": "amendment", "stage": "source", "step": 4, "changes": [line]}]


def test_a_broken_network_does_not_replace_the_checkpoint(tmp_path: Path) -> None:
    raw, out = tiny(tmp_path, training__learning_rate=1e38), tmp_path / "run"
    raw["training"] |= {"source_rate": 1e-43, "weight_decay": 1e3, "checkpoint_every": 1}
    finished = rn_adapt(raw, out)
    _assert_one_line(finished)
    assert "is not finite in step 1 of 6 (adapt); the last checkpoint is intact" in finished.errors
    assert _at(out) == ("source", 4)


def test_a_network_that_cannot_be_made_leaves_no_directory(tmp_path: Path) -> None:
    raw, out = (
        tiny(tmp_path, backbone__name="tests.rn_model.training.networks:NoNet"),
        tmp_path / "r",
    )
    with pytest.raises(ValueError, match="cannot find the network"):
        trained(raw, out)
    untracked = tiny(tmp_path, backbone__name="tests.rn_model.training.networks:UntrackedNet")
    with (
        pytest.warns(UserWarning, match="not converted"),
        pytest.raises(TrainingError, match="has no BatchNorm layer that rn can replace"),
    ):
        trained(untracked, out)
    assert not out.exists()


def test_changed_images_are_reported(tmp_path: Path) -> None:
    raw, out = tiny(tmp_path), tmp_path / "run"
    assert rn_adapt(raw, out, strikes="7:SIGINT").code == 130
    write_arrays(tmp_path / "target.npz", 47, seed=9)
    finished = rn_adapt(raw, out, "--resume")
    assert finished.code == 0, finished.errors
    assert f"from step 3 on: the images of target {tmp_path / 'target.npz'}" in finished.output


def test_a_checkpoint_that_no_longer_fits_is_reported_on_one_line(tmp_path: Path) -> None:
    raw, out = tiny(tmp_path, objectives=[{"name": "shot"}]), tmp_path / "run"
    assert rn_adapt(raw, out, strikes="7:SIGINT").code == 130
    write_arrays(tmp_path / "target.npz", 30, seed=4)
    finished = rn_adapt(raw, out, "--resume")
    _assert_one_line(finished)
    assert "the checkpoint no longer fits this run" in finished.errors


def test_an_evaluation_that_is_not_finite_stops_the_training(tmp_path: Path) -> None:
    out = tmp_path / "run"
    raw = tiny(tmp_path, training__learning_rate=1e30, training__source_rate=1e-30)
    raw["training"]["evaluate_every"] = 1
    finished = rn_adapt(raw, out)
    _assert_one_line(finished)
    assert "predictions for source images are not finite" in finished.errors
    assert "lower training.learning_rate" in finished.errors
    assert not (out / RESULT).exists()


# Limits of the file size from the second step of the adaptation, and the file that exceeds each first.
@pytest.mark.parametrize(("limit", "file"), [(1500, "history.jsonl"), (9000, "checkpoint.pt")])
def test_a_full_disk_is_reported_on_one_line_and_the_run_can_be_resumed(
    tmp_path: Path, limit: int, file: str
) -> None:
    raw, out = tiny(tmp_path, training__checkpoint_every=4), tmp_path / "run"
    finished = rn_adapt(raw, out, strikes=f"6:FSIZE={limit}")
    _assert_one_line(finished)
    assert f"cannot write {out / file}: File too large" in finished.errors
    assert "free some space and continue with --resume" in finished.errors
    assert _at(out) == ("source", 4)
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    trained(raw, tmp_path / "whole")
    trained(raw, out, resume=True)
    assert_same_run(tmp_path / "whole", out)


def test_unwritable_events_are_reported_on_one_line(tmp_path: Path) -> None:
    raw, out = tiny(tmp_path), tmp_path / "run"
    assert rn_adapt(raw, out, strikes="2:SIGINT").code == 130
    shutil.rmtree(out / LOGS)
    (out / LOGS).touch()
    finished = rn_adapt(raw, out, "--resume")
    _assert_one_line(finished)
    assert f"cannot write {out / LOGS}: File exists" in finished.errors


def test_the_final_files_do_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw, out = tiny(tmp_path), tmp_path / "run"
    # A file in the place of a directory that the run needs.
    with monkeypatch.context() as patch:
        patch.setattr("rn_model.training.records.artifacts.SOURCE_ONLY_FOLDER", f"{HISTORY}/first")
        with pytest.raises(TrainingError, match=r"cannot write .*: Not a directory"):
            trained(raw, out)
    assert not (out / RESULT).exists()
    assert _at(out) == ("adapt", 6)
    trained(raw, tmp_path / "whole")
    trained(raw, out, resume=True)
    assert_same_run(tmp_path / "whole", out)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_image_is_named(tmp_path: Path, workers: int) -> None:
    class_folders(tmp_path / "images", {"a": 12, "b": 12})
    flat_folder(tmp_path / "unlabelled", 24)
    raw = tiny(tmp_path, training__workers=workers)
    raw["task"] = {
        "source": {"path": str(tmp_path / "images")},
        "target": {"path": str(tmp_path / "unlabelled")},
    }
    bad = tmp_path / "unlabelled" / "007.png"
    bad.write_bytes(bad.read_bytes()[:30])
    finished = rn_adapt(raw, tmp_path / "run")
    _assert_one_line(finished)
    assert f"image {bad} is" in finished.errors
    assert "continue with --resume, or exclude such files with --resume --set" in finished.errors


def test_unreadable_images_can_be_skipped_on_resuming(tmp_path: Path) -> None:
    flat_folder(tmp_path / "unlabelled", 24)
    class_folders(tmp_path / "images", {"a": 12, "b": 12})
    raw = tiny(tmp_path)
    raw["task"] = {
        "source": {"path": str(tmp_path / "images")},
        "target": {"path": str(tmp_path / "unlabelled")},
    }
    out = tmp_path / "run"
    assert rn_adapt(raw, out, strikes="7:SIGINT").code == 130
    for bad in (tmp_path / "unlabelled" / "007.png", next((tmp_path / "images" / "a").iterdir())):
        bad.write_bytes(b"broken")
    flags = ["--set", "task.target.unreadable=skip", "--set", "task.source.unreadable=skip"]
    finished = rn_adapt(raw, out, "--resume", *flags)
    assert finished.code == 0, finished.errors
    for name in ("target", "source.0"):
        line = f'from step 3 on: task.{name}.unreadable was "error", now "skip"'
        assert line in " ".join(finished.output.split())
    assert "skipped: image" in finished.output


def test_a_skipped_image_is_reported(tmp_path: Path) -> None:
    flat_folder(tmp_path / "unlabelled", 24)
    bad = tmp_path / "unlabelled" / "007.png"
    bad.write_bytes(b"")
    raw = tiny(tmp_path, task__target={"path": str(bad.parent), "unreadable": "skip"})
    console = Console(width=80, record=True, file=io.StringIO())
    train(config(raw), tmp_path / "run", console=console, tensorboard=False)
    assert f"skipped: image {bad} is" in console.export_text()


def test_a_damaged_checkpoint_is_reported_on_one_line(tmp_path: Path) -> None:
    raw, out = tiny(tmp_path), tmp_path / "run"
    assert rn_adapt(raw, out, strikes="8:SIGINT").code == 130
    content = (out / CHECKPOINT).read_bytes()
    (out / CHECKPOINT).write_bytes(content[:-100])
    finished = rn_adapt(raw, out, "--resume")
    _assert_one_line(finished)
    assert f"{out / CHECKPOINT} is damaged: delete it to start this run again" in finished.errors
    (out / CHECKPOINT).unlink()
    trained(raw, out, resume=True)
    steps = [json.loads(line)["step"] for line in (out / HISTORY).read_text().splitlines()]
    # The source-only network is measured twice, at step 0 of the adaptation.
    assert steps == [1, 2, 3, 3, 4, 4, 0, 0, 1, 2, 3, 3, 4, 5, 6, 6]


def test_a_missing_gpu_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(TrainingError, match="torch finds no GPU: use device cpu or auto"):
        trained(tiny(tmp_path, device="cuda"), tmp_path / "run")
    with pytest.raises(TrainingError, match="16-mixed needs a GPU"):
        trained(tiny(tmp_path, training__precision="16-mixed"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_missing_or_foreign_start_weights_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"start weights not found: .*first\.safetensors"):
        trained(tiny(tmp_path, start=str(tmp_path / "first.safetensors")), tmp_path / "a")
    trained(tiny(tmp_path), tmp_path / "first")
    start = str(tmp_path / "first" / "source.safetensors")
    other = tiny(tmp_path, start=start, backbone__arguments={"width": 6})
    with pytest.raises(TrainingError, match="does not fit the network of this run") as caught:
        trained(other, tmp_path / "b")
    assert "\n" not in str(caught.value)

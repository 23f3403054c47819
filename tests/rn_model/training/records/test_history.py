import json
from pathlib import Path

from rich.console import Console
from tensorboard.backend.event_processing.event_file_loader import (  # type: ignore[import-untyped]
    EventFileLoader,
)

from rn_model.training.records.history import FILE, LOGS, History

ORDER = {"source": 0, "adapt": 1}


def _step(history: History, stage: str, step: int, steps: int = 4) -> None:
    entry = {"stage": stage, "step": step, "steps": steps, "loss": 1.5, "losses": {"mcc": 0.5}}
    history.step({**entry, "images_per_second": 10.0}, keep=True)


def _written(folder: Path) -> list[tuple[str, str, int]]:
    lines = [json.loads(line) for line in (folder / FILE).read_text().splitlines()]
    return [(line["kind"], line["stage"], line["step"]) for line in lines]


def test_an_entry_is_a_line_and_a_point_of_a_curve(tmp_path: Path) -> None:
    with History(tmp_path, None) as history:
        _step(history, "source", 1)
        history.evaluation({"stage": "adapt", "step": 2, "information": 0.25, "oracle": None})
    assert _written(tmp_path) == [("train", "source", 1), ("evaluation", "adapt", 2)]
    (events,) = (tmp_path / LOGS).iterdir()
    points = {
        (value.tag, event.step): value.tensor.float_val[0]
        for event in EventFileLoader(str(events)).Load()
        for value in event.summary.value
    }
    assert points == {
        ("source/loss", 1): 1.5,
        ("source/losses/mcc", 1): 0.5,
        ("source/images_per_second", 1): 10.0,
        ("adapt/information", 2): 0.25,
    }


def test_other_processes_write_nothing(tmp_path: Path) -> None:
    console = Console(force_terminal=True, record=True, file=(tmp_path / "console").open("w"))
    with History(tmp_path, console, active=False) as history:
        history.begin_stage("source", 0, 4)
        _step(history, "source", 1)
        history.say("hello")
    assert not (tmp_path / FILE).exists() and not (tmp_path / LOGS).exists()
    assert console.export_text() == ""
    console.file.close()


def test_entries_after_the_checkpoint_are_dropped(tmp_path: Path) -> None:
    with History(tmp_path, None, tensorboard=False) as history:
        for stage, step in (("source", 1), ("source", 4), ("adapt", 1), ("adapt", 3)):
            _step(history, stage, step)
        with (tmp_path / FILE).open("a") as file:
            file.write('{"kind": "train", "sta')  # as a full disk leaves it
        history.forget_after(ORDER, "adapt", 2)
        assert [line[1:] for line in _written(tmp_path)] == [
            ("source", 1),
            ("source", 4),
            ("adapt", 1),
        ]
        history.forget_after(ORDER, "source", 3)
        assert [line[1:] for line in _written(tmp_path)] == [("source", 1)]
        history.forget_after(ORDER, None, 0)
        assert _written(tmp_path) == []


def test_nothing_to_forget_is_fine(tmp_path: Path) -> None:
    with History(tmp_path, None, tensorboard=False) as history:
        history.forget_after(ORDER, "adapt", 2)
    assert not (tmp_path / FILE).exists()


def test_without_a_terminal_a_stage_is_at_most_ten_lines(tmp_path: Path) -> None:
    console = Console(width=60, record=True, file=(tmp_path / "console").open("w"))
    with History(tmp_path, console, tensorboard=False) as history:
        history.begin_stage("source", 0, 40)
        for step in range(1, 41):
            _step(history, "source", step, steps=40)
    console.file.close()
    lines = console.export_text().splitlines()
    assert len(lines) == 10
    assert lines[-1].startswith("  source 40/40")


def test_on_a_terminal_there_is_a_bar(tmp_path: Path) -> None:
    console = Console(force_terminal=True, width=100, file=(tmp_path / "console").open("w"))
    with History(tmp_path, console, tensorboard=False) as history:
        history.begin_stage("adapt", 3, 4)
        _step(history, "adapt", 4)
        history.end_stage()
    console.file.close()
    assert "4/4" in (tmp_path / "console").read_text()

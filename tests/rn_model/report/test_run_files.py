import json
from pathlib import Path

import pytest

from rn_model.report.run_files import read_run
from tests.rn_model.report.synthetic import make_run


def test_all_parts_of_a_finished_run_are_read(tmp_path: Path) -> None:
    files = read_run(make_run(tmp_path / "run", layers=5, images=10))
    assert files.notes == ()
    assert files.config["seed"] == 3
    assert len(files.training) == 400 and len(files.evaluations) == 16
    assert files.arrays["target_probability"].shape == (100, 7)
    assert len(files.layers) == 5
    assert files.result["chosen_step"] == 350


def test_missing_files_of_an_interrupted_run_are_noted(tmp_path: Path) -> None:
    files = read_run(make_run(tmp_path / "run", finished=False))
    assert [note.file for note in files.notes] == [
        "evaluation.npz",
        "layers.json",
        "result.json",
        "run.json",
    ]
    assert len(files.training) + len(files.evaluations) == 312


def test_a_line_that_was_cut_off_hides_none_of_the_others(tmp_path: Path) -> None:
    line = json.dumps({"kind": "train", "stage": "adapt", "step": 1})
    (tmp_path / "history.jsonl").write_text(f'{line}\n{{"kind": "tra')
    assert len(read_run(tmp_path).training) == 1


def test_the_stages_come_in_their_order(tmp_path: Path) -> None:
    lines = [
        json.dumps({"kind": "train", "stage": stage, "step": step})
        for stage, step in (("adapt", 1), ("source", 2), ("source", 1))
    ]
    (tmp_path / "history.jsonl").write_text("\n".join(lines))
    read = [(entry["stage"], entry["step"]) for entry in read_run(tmp_path).training]
    assert read == [("source", 1), ("source", 2), ("adapt", 1)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.yaml", b"a: [1"),
        ("config.yaml", b"- a list"),
        ("evaluation.npz", b"PK\x03\x04 no archive"),
        ("layers.json", b"{}"),
        ("layers.json", b"[1]"),
        ("result.json", b'{"name": '),
        ("run.json", b"\xff"),
    ],
)
def test_a_damaged_part_is_noted_and_the_others_are_read(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path = make_run(tmp_path / "run", images=10)
    (path / name).write_bytes(content)
    files = read_run(path)
    (note,) = files.notes
    assert note.file == name and "cannot be read" in note.text and "\n" not in note.text
    assert files.training


def test_a_directory_without_a_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="none of the files of a run"):
        read_run(tmp_path)
    with pytest.raises(ValueError, match="is not a directory"):
        read_run(tmp_path / "absent")

from pathlib import Path
from typing import Any

from rn_model.report.run_files import Entry, RunFiles, read_run
from rn_model.report.sections.curves import evaluation_charts, timeline, training_charts
from rn_model.report.sections.selection import explain
from tests.rn_model.report.synthetic import make_run


def _entry(**values: Any) -> Entry:
    return {"kind": "train", "stage": "adapt", "step": 1, "steps": 2, "loss": 1.0, **values}


def test_every_part_of_the_loss_has_its_line(tmp_path: Path) -> None:
    files = read_run(make_run(tmp_path / "run", images=10))
    line = timeline(files, explain(files))
    assert (line.boundary, line.both, line.selected) == (400, True, 750)
    loss, rate, speed = training_charts(files, line)
    assert [key.label for key in loss.legend] == ["cross_entropy", "cdan+e", "mcc", "total"]
    assert "from 0.01 to 0" in rate.svg and "Images" in speed.title


def test_the_oracle_is_dotted_and_named_so(tmp_path: Path) -> None:
    files = read_run(make_run(tmp_path / "run", images=10))
    choice = explain(files)
    _, accuracy = evaluation_charts(files, timeline(files, choice), choice)
    (oracle,) = (key for key in accuracy.legend if key.mark == "dotted")
    assert oracle.label.startswith("oracle")
    assert "was not used for selection" in accuracy.caption
    assert "minimum for source" in {key.label for key in accuracy.legend}


def test_without_labels_there_is_no_oracle(tmp_path: Path) -> None:
    files = read_run(make_run(tmp_path / "run", images=10, labels=False))
    choice = explain(files)
    charts = evaluation_charts(files, timeline(files, choice), choice)
    assert "oracle" not in repr(charts).lower()


def test_entries_without_a_finite_number_are_omitted() -> None:
    entries = (
        _entry(losses={"a": 2.0}, learning_rate=float("nan")),
        _entry(step=2, losses={"a": 1.0, "b": 5.0}),
    )
    files = RunFiles(Path("run"), training=entries)
    loss, rate, _ = training_charts(files, timeline(files, explain(files)))
    assert "a from 2 to 1, b from 5 to 5 and total from 1 to 1." in loss.svg
    assert "No values were recorded." in rate.svg


def test_without_a_history_there_are_no_charts() -> None:
    files = RunFiles(Path("run"))
    choice = explain(files)
    line = timeline(files, choice)
    assert training_charts(files, line) == [] and evaluation_charts(files, line, choice) == []

import csv
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from rn_model.compare.comparison import TABLE, summarize
from rn_model.compare.config import GridConfig
from rn_model.compare.findings.differences import differences_table
from rn_model.compare.findings.results import Finding, collect, write_csv
from rn_model.compare.findings.tables import as_markdown, make_tables, print_tables
from rn_model.compare.folder import write_failures
from rn_model.compare.jobs import cell_keys
from tests.rn_model.compare.findings.synthetic import finding, result, write_result

GRID = GridConfig.model_validate(
    {
        "base": "digits",
        "tasks": [{"name": "a"}, {"name": "b"}],
        "normalizations": ["bn", "rn"],
        "objectives": ["source-only", "mcc"],
        "seeds": [0, 1, 2],
    }
)


def _random() -> tuple[list[Finding], dict[tuple[str, str, str, int], float]]:
    generator = np.random.default_rng(0)
    accuracy: dict[tuple[str, str, str, int], float] = {}
    findings: list[Finding] = []
    for key in cell_keys(GRID):
        value = float(generator.uniform())
        accuracy[key] = value
        findings.append(Finding(key, result(value, best=min(1, value + 0.01))))
    return findings, accuracy


def _rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def _cell(findings: list[Finding], title: str, row: str, column: str) -> str:
    tables = [table for block in make_tables(GRID, findings).blocks for table in block]
    table = next(table for table in tables if table.title.startswith(title))
    cells = next(cells for cells in table.rows if cells[0] == row)
    return cells[table.header.index(column)]


def test_cells_are_mean_and_deviation_over_seeds() -> None:
    findings, accuracy = _random()
    for task in ("a", "b"):
        for normalization in ("bn", "rn"):
            for objective in ("source-only", "mcc"):
                own = [100 * accuracy[task, normalization, objective, seed] for seed in range(3)]
                expected = f"{np.mean(own):.1f} +- {np.std(own, ddof=1):.1f}"
                assert _cell(findings, f"{task}: accuracy", normalization, objective) == expected


def test_the_oracle_has_a_table_of_its_own() -> None:
    findings, accuracy = _random()
    own = [100 * min(1, accuracy["a", "rn", "mcc", seed] + 0.01) for seed in range(3)]
    cell = _cell(findings, "a: oracle", "rn", "mcc")
    assert cell == f"{np.mean(own):.1f} +- {np.std(own, ddof=1):.1f}"


def test_the_mean_over_tasks_spreads_over_seeds() -> None:
    findings, accuracy = _random()
    own = [50 * sum(accuracy[task, "rn", "mcc", seed] for task in "ab") for seed in range(3)]
    expected = f"{np.mean(own):.1f} +- {np.std(own, ddof=1):.1f}"
    assert _cell(findings, "mean over all tasks: accuracy", "rn", "mcc") == expected


def test_missing_runs_are_counted_and_failed_ones_named() -> None:
    findings = [
        finding("a/rn/mcc/0", result(0.5)),
        finding("a/rn/mcc/1", result(0.5)),
        finding("a/rn/mcc/2", None),
        finding("a/bn/mcc/0", None, "the loss is nan"),
        finding("b/rn/mcc/0", result(0.5)),
    ]
    assert _cell(findings, "a: accuracy", "rn", "mcc") == "50.0 +- 0.0 (2)"
    assert _cell(findings, "b: accuracy", "rn", "mcc") == "50.0 (1)"
    assert _cell(findings, "a: accuracy", "bn", "mcc") == "failed"
    assert _cell(findings, "a: accuracy", "bn", "source-only") == "-"
    assert _cell(findings, "mean over all tasks", "rn", "mcc") == "50.0 (1)"
    assert _cell(findings, "mean over all tasks", "bn", "mcc") == "failed"
    assert _cell(findings, "mean over all tasks", "bn", "source-only") == "-"
    notes = make_tables(GRID, findings).notes
    assert any("3 of 5 runs are done, 1 failed and 1 are missing" in note for note in notes)
    assert "failed: a/bn/mcc/seed-0: the loss is nan" in notes


def test_markdown_has_the_cells_of_the_terminal() -> None:
    findings, _ = _random()
    tables = make_tables(GRID, findings)
    console = Console(width=200)
    with console.capture() as capture:
        print_tables(tables, console)
    lines = as_markdown(tables).splitlines()
    for table in (table for block in tables.blocks for table in block):
        assert f"### {table.title}" in lines
        for row in table.rows:
            assert f"| {' | '.join(row)} |" in lines
            for cell in row:
                assert cell in capture.get()


def test_the_folder_is_read_and_written(tmp_path: Path) -> None:
    keys = cell_keys(GRID)
    write_result(tmp_path, keys[0], result(0.5, score=0.25))
    write_failures(tmp_path, {keys[1].path: "a reason", "b/source/seed-1": "the source's reason"})
    findings, _ = summarize(GRID, tmp_path)
    assert [f.status for f in findings[:3]] == ["done", "failed", "missing"]
    assert {f.failure for f in findings if f.key.task == "b" and f.key.seed == 1} == {
        "the source's reason"
    }
    rows = _rows(tmp_path / "results.csv")
    assert len(rows) == len(keys) == 24
    assert rows[0]["oracle_target_accuracy"] == "0.5" and rows[0]["label_free_score"] == "0.25"
    assert rows[1]["error"] == "a reason" and rows[1]["seconds"] == ""
    assert "failed: a/bn/mcc/seed-0: a reason" in (tmp_path / TABLE).read_text()
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == [
        "a.svg",
        "label-free-score.svg",
    ]


def test_csv_keeps_names_apart(tmp_path: Path) -> None:
    findings = [finding("a/rn/mcc/2", None, 'a "quoted", long reason')]
    write_csv(findings, tmp_path / "x.csv")
    (row,) = _rows(tmp_path / "x.csv")
    assert row["error"] == 'a "quoted", long reason' and row["seed"] == "2"


def test_a_damaged_result_is_reported_on_one_line(tmp_path: Path) -> None:
    key = cell_keys(GRID)[0]
    write_result(tmp_path, key, result(0.5))
    (tmp_path / key.path / "result.json").write_text("{")
    with pytest.raises(ValueError, match=r"result\.json is damaged"):
        collect(GRID, tmp_path)


def test_differences_are_points_with_a_standard_error() -> None:
    findings, accuracy = _random()
    table = differences_table(GRID, findings, "rn", "mcc")
    own = [
        50 * sum(accuracy[t, "bn", "mcc", s] - accuracy[t, "rn", "mcc", s] for t in "ab")
        for s in range(3)
    ]
    error = np.std(own, ddof=1) / np.sqrt(3)
    assert table.rows == (("bn", f"{np.mean(own):+.2f}", f"{error:.2f}", "3"),)

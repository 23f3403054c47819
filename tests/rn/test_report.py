from pathlib import Path

import typer
from typer.testing import CliRunner

from rn.commands.report import report
from tests.rn_model.report.synthetic import make_run

runner = CliRunner()
app = typer.Typer()
app.command()(report)


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", finished=False)
    result = runner.invoke(app, [str(path)])
    assert result.exit_code == 0
    assert result.stdout == f"Written to {path / 'report.html'}\n"
    assert (path / "report.html").is_file()


def test_what_is_no_run_is_one_line_and_a_failure(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        result = runner.invoke(app, [str(path)])
        assert result.exit_code == 1
        assert result.stderr.startswith("rn report: ") and result.stderr.count("\n") == 1

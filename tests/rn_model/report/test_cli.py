import subprocess
import sys
from pathlib import Path

import typer
from typer.testing import CliRunner

import rn_model.report.cli
from rn_model.report.cli import report
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


def test_the_command_itself_imports_nothing_heavy() -> None:
    folder = Path(rn_model.report.cli.__file__).parents[1]
    code = (
        "import sys, types; sys.modules['rn_model'] = package = types.ModuleType('rn_model');"
        f"package.__path__ = [{str(folder)!r}]; import rn_model.report.cli;"
        "heavy = {'torch', 'sklearn', 'matplotlib', 'jinja2'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

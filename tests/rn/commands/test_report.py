from pathlib import Path

from tests.rn.calling import failure, rn
from tests.rn_model.report.synthetic import make_run


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", finished=False)
    result = rn("report", path)
    assert result.exit_code == 0
    assert result.stdout == f"Written to {path / 'report.html'}\n"
    assert (path / "report.html").is_file()


def test_what_is_no_run_is_one_line_and_a_failure(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        assert failure("report", path)

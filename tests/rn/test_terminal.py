import io

import pytest
from rich.console import Console

from rn.terminal import Column, show_table

COLUMNS = (
    Column("version", right=True),
    Column("made"),
    Column("status"),
    Column("images", right=True, optional=True),
    Column("information", right=True, optional=True),
    Column("", folds=True),
)
ROWS = [
    ("0", "2026-01-31T12:00:00", "exported", "128", "", "served"),
    ("1", "2026-01-31T12:05:00", "rejected", "192", "0.512", "information fell by 0.3 [bold]"),
]


def lines(width: int) -> list[str]:
    console = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
    show_table(COLUMNS, ROWS, console)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_what_matters_is_whole_at_every_width(width: int) -> None:
    text = lines(width)
    assert all(len(line) <= width for line in text)
    for number, made, status, *_ in ROWS:
        assert any(f"{number}  {made}  {status}" in line for line in text)
    words = " ".join(" ".join(text).split())
    assert "served" in words and "[bold]" in words and "information fell" in words


def test_optional_columns_are_omitted_with_a_line() -> None:
    assert lines(60)[-1] == "not shown on 60 columns: images, information"
    assert "0.512" in " ".join(lines(80)) and "not shown" not in " ".join(lines(80))


def test_a_control_character_does_not_reach_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_table((Column("name", folds=True),), [("\x1b[2J",)])
    assert r"\x1b[2J" in capsys.readouterr().out

"""Tables for terminals of any width, and for pipes, where nothing is cut or broken."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import typer
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from bundle.text import printable

# Wider than any row: a file or a pipe has no width at which a line should be broken.
UNLIMITED = 10_000
GAP = 2
# Columns that share what the others leave get this width at least, if optional columns can make room.
MIN_FOLDED = 16


class Column(NamedTuple):
    """One column of a table.

    Attributes:
        title: heading.
        right: whether its cells are aligned to the right.
        folds: whether its cells are broken into lines where the terminal is narrow; others never are.
        optional: whether it is omitted where the terminal is narrow, the last such column first.
    """

    title: str
    right: bool = False
    folds: bool = False
    optional: bool = False


def open_console() -> Console:
    """A console of the terminal's width; without a terminal, so wide that no line is broken."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = UNLIMITED
    return console


def show_table(
    columns: Sequence[Column], rows: Iterable[Sequence[str]], console: Console | None = None
) -> None:
    """Print a table, and a line that names the columns that were omitted for lack of width.

    Args:
        columns: the columns.
        rows: cells of each row, as plain text.
        console: console to print to. Default: a new one.
    """
    console = console or open_console()
    cells = [[printable(cell) for cell in row] for row in rows]
    kept = _fitting(columns, cells, console.width)
    table = Table(box=None, padding=(0, GAP, 0, 0))
    for number in kept:
        column = columns[number]
        table.add_column(
            column.title,
            justify="right" if column.right else "left",
            overflow="fold",
            no_wrap=not column.folds,
        )
    for row in cells:
        table.add_row(*(Text(row[number]) for number in kept))
    show(table, console)
    omitted = [column.title for number, column in enumerate(columns) if number not in kept]
    if omitted:
        show(Text(f"not shown on {console.width} columns: {', '.join(omitted)}"), console)


def show(content: RenderableType, console: Console) -> None:
    """Print something; without a terminal, without the spaces that fill its lines."""
    if console.is_terminal:
        console.print(content)
        return
    with console.capture() as captured:
        console.print(content)
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _fitting(columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int) -> list[int]:
    """Indices of the columns that fit into a width, or that are not optional."""
    needed = []
    for number, column in enumerate(columns):
        longest = max(map(cell_len, (column.title, *(row[number] for row in cells))))
        needed.append(GAP + (min(longest, MIN_FOLDED) if column.folds else longest))
    kept = list(range(len(columns)))
    for number in reversed(range(len(columns))):
        if sum(needed[index] for index in kept) <= width:
            break
        if columns[number].optional:
            kept.remove(number)
    return kept

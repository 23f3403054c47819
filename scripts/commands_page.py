"""Writes docs/commands.md from the help of every command: ``python -m scripts.commands_page``."""

from pathlib import Path

from typer.testing import CliRunner

from rn.application import app
from rn.table import COMMANDS, Entry

PAGE = Path(__file__).parents[1] / "docs" / "commands.md"
WIDTH = 100
TEXT = """\
# Commands

{table}

`rn --install-completion` completes commands and options in your shell, and `rn --version` prints the
version. A command whose extra is not installed says which one to install.

{sections}

This page is written by `python -m scripts.commands_page`.
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(make_page())


def make_page() -> str:
    """The page as Markdown."""
    rows = ["| command | what it does | extras |", "|---|---|---|"]
    rows += [_row(name, entry) for name, entry in COMMANDS.items()]
    sections = [f"## rn {name}\n\n```text\n{help_of(name)}\n```" for name in COMMANDS]
    return TEXT.format(table="\n".join(rows), sections="\n\n".join(sections))


def help_of(name: str) -> str:
    """Output of ``rn NAME --help``, without trailing spaces."""
    result = CliRunner().invoke(
        app,
        [name, "--help"],
        prog_name="rn",
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        catch_exceptions=False,
    )
    return "\n".join(line.rstrip() for line in result.output.strip().splitlines())


def _row(name: str, entry: Entry) -> str:
    extras = ", ".join(f"`{extra}`" for extra in entry.extras)
    return f"| [`rn {name}`](#rn-{name}) | {entry.help} | {extras} |"


if __name__ == "__main__":
    main()

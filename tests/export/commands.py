"""Calls ``rn export`` in this process."""

import typer
from typer.testing import CliRunner, Result

from rn.commands.export import export

_APP = typer.Typer()
_APP.command()(export)


def rn_export(*arguments: object) -> Result:
    """Run the command."""
    return CliRunner().invoke(_APP, [str(argument) for argument in arguments])


def refusal(*arguments: object) -> str:
    """The one line that the command ends with."""
    result = rn_export(*arguments)
    assert result.exit_code == 1, result.output
    assert not result.stdout
    (line,) = result.stderr.splitlines()
    assert line.startswith("rn export: ")
    return line.removeprefix("rn export: ")

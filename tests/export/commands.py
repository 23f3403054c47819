"""Calls ``rn export`` in this process."""

from typer.testing import Result

from tests.rn.calling import failure, rn


def rn_export(*arguments: object) -> Result:
    """Run the command."""
    return rn("export", *arguments)


def refusal(*arguments: object) -> str:
    """The one-line error that the command ends with."""
    return failure("export", *arguments)

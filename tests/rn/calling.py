"""Calls ``rn`` in this process."""

from typer.testing import CliRunner, Result

from rn.application import app


def rn(*arguments: object, **environment: str | None) -> Result:
    """Run a command; an exception that it does not report itself is raised here."""
    given = [str(argument) for argument in arguments]
    result = CliRunner().invoke(app, given, env=environment, prog_name="rn")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def failure(command: str, *arguments: object, **environment: str | None) -> str:
    """The one line that a command fails with, without its prefix."""
    result = rn(command, *arguments, **environment)
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"rn {command}: "), line
    return line.removeprefix(f"rn {command}: ")

"""Failure of a command: one line on standard error, and an exit status."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from bundle.extras import missing_package
from bundle.text import describe_error, single_line

INTERRUPTED = 130


class CommandError(Exception):
    """A command that ends with one line on standard error.

    Attributes:
        status: exit status; None for the one that the table gives the command.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


def fail(message: str) -> NoReturn:
    """End the command with one line.

    Raises:
        CommandError: always.
    """
    raise CommandError(message)


@contextmanager
def one_line(*kinds: type[Exception]) -> Iterator[None]:
    """End the command with one line if an exception of one of these kinds is raised inside.

    Raises:
        CommandError: instead of the exception.
    """
    try:
        yield
    except kinds as error:
        raise CommandError(describe_error(error)) from error


@contextmanager
def reporting(command: str, extras: tuple[str, ...] = (), status: int = 1) -> Iterator[None]:
    """Turn an error of a command into the line ``rn COMMAND: message`` and an exit status.

    A package that an extra would have brought is such an error too; a module of this project that
    cannot be found, or any other exception, is a bug and keeps its traceback.

    Args:
        command: name of the command.
        extras: extras that the command needs.
        status: exit status of an error that has none of its own.

    Raises:
        typer.Exit: with the exit status.
    """
    try:
        yield
    except CommandError as error:
        typer.echo(f"rn {command}: {single_line(str(error))}", err=True)
        raise typer.Exit(status if error.status is None else error.status) from error
    except ModuleNotFoundError as error:
        needed = missing_package(error.name, *extras)
        if needed is None:
            raise
        typer.echo(f"rn {command} needs {needed}", err=True)
        raise typer.Exit(status) from error

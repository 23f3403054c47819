"""How these commands end when they cannot do what they were asked for."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from bundle.errors import BundleError


@contextmanager
def one_line(command: str, status: int = 1) -> Iterator[None]:
    """Turn what is wrong with a bundle or a file into one line on standard error, and this exit status."""
    try:
        yield
    except (BundleError, OSError) as error:
        typer.echo(f"rn {command}: {error}", err=True)
        raise typer.Exit(status) from error

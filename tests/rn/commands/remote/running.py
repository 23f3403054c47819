"""Calls ``rn`` against a running service."""

from typer.testing import Result

from tests.rn import calling
from tests.service.running import Service


def rn(*arguments: object, service: Service | None = None, status: int = 0) -> Result:
    """Run a command and check its exit status; one that fails says so in its last line."""
    result = calling.rn(*arguments, COLUMNS="60", RN_URL=service.url if service else None)
    assert result.exit_code == status, result.output
    if status == 1:
        assert result.stderr.splitlines()[-1].startswith(f"rn {arguments[0]}: "), result.stderr
    return result

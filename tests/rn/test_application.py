import inspect
from importlib import import_module

import pytest

from rn.table import COMMANDS
from tests.rn.calling import rn
from tests.rn.installation import PROJECT


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_says_what_the_command_says(name: str) -> None:
    entry = COMMANDS[name]
    module, _, attribute = entry.function.partition(":")
    text = inspect.getdoc(getattr(import_module(module), attribute))
    assert text is not None and text.splitlines()[0] == entry.help
    assert set(entry.extras) <= PROJECT["optional-dependencies"].keys()


def test_a_misspelled_command_is_corrected() -> None:
    result = rn("inspcet")
    assert result.exit_code == 2
    assert "No such command 'inspcet'. Did you mean 'inspect'?" in result.stderr


def test_help_without_a_command() -> None:
    assert rn().output == rn("--help").output
    assert rn("--version").stdout == f"{PROJECT['version']}\n"

"""docs/commands.md holds the help of every command."""

import pytest

from rn.table import COMMANDS
from scripts.commands_page import PAGE, make_page


def test_page_agrees_with_the_code() -> None:
    assert PAGE.read_text() == make_page(), "run `make docs`"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_section(name: str) -> None:
    assert f"## rn {name}\n\n```text\nUsage: rn {name} " in make_page()

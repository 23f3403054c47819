"""The command line as an application of typer, which imports a command only when it is called."""

from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup
from typer.main import get_command

from rn.failing import reporting
from rn.table import COMMANDS, Entry

# Rich help costs more time to import than all else here together.
_PLAIN: dict[str, Any] = {"rich_markup_mode": None, "pretty_exceptions_enable": False}


class LazyCommands(TyperGroup):
    """The commands of :data:`rn.table.COMMANDS`; ``rn --help`` imports none of them."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        # Names only, which are what help and corrections of misspelled names need.
        self.commands = dict.fromkeys(COMMANDS, cast(Any, None))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the options before the name of the command."""
        if args and args[0] in self.commands:
            # No such option is given; typer would import pydantic to find that out.
            self.params, self.add_help_option = [], False
        return super().parse_args(ctx, args)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a name, imported; None if there is none."""
        entry = COMMANDS.get(cmd_name)
        if entry is not None and self.commands[cmd_name] is None:
            self.commands[cmd_name] = _load(cmd_name, entry)
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


def _load(name: str, entry: Entry) -> Any:
    module, _, attribute = entry.function.partition(":")
    function: Callable[..., None] = getattr(import_module(module), attribute)

    @wraps(function)
    def command(*arguments: Any, **options: Any) -> None:
        with reporting(name, entry.extras, entry.trouble):
            function(*arguments, **options)

    alone = typer.Typer(add_completion=False, **_PLAIN)
    alone.command(name)(command)
    return get_command(alone)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        from bundle.extras import DISTRIBUTION

        typer.echo(version(DISTRIBUTION))
        raise typer.Exit


app = typer.Typer(cls=LazyCommands, no_args_is_help=True, **_PLAIN)


@app.callback()
def rn(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Adapt a vision model to an unlabelled domain, serve it, and keep adapting it online.

    `rn COMMAND --help` describes a command.
    """

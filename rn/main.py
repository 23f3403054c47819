"""The console command ``rn``.

Commands that belong to other packages, some of which need torch, are found by entry point, and loaded
only when they are called.
"""

from importlib.metadata import entry_points

import typer

from rn.commands.doctor import doctor
from rn.commands.remote import predict, rollback, submit, versions
from rn.commands.serve import serve
from rn.failing import fail

_OWN_PACKAGES = ("bundle", "export", "rn_model", "service")
# Everything after the command's name, --help too, is for the command that is loaded.
_PASS_ON = {"ignore_unknown_options": True, "allow_extra_args": True}

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Adapt a vision model to an unlabeled domain, serve it, and keep adapting it online.",
)


@app.command(context_settings=_PASS_ON, add_help_option=False)
def adapt(context: typer.Context) -> None:
    """Train a model that is adapted to a target domain."""
    _run_extension("adapt", context.args)


@app.command(context_settings=_PASS_ON, add_help_option=False)
def compare(context: typer.Context) -> None:
    """Train a grid of normalizations and objectives, and tabulate it."""
    _run_extension("compare", context.args)


@app.command(context_settings=_PASS_ON, add_help_option=False)
def report(context: typer.Context) -> None:
    """Write the page that shows a training."""
    _run_extension("report", context.args)


@app.command(context_settings=_PASS_ON, add_help_option=False)
def export(context: typer.Context) -> None:
    """Fold an adapted model into a bundle."""
    _run_extension("export", context.args)


@app.command(context_settings=_PASS_ON, add_help_option=False)
def inspect(context: typer.Context) -> None:
    """Check a bundle, and tell what it is and where it comes from."""
    _run_extension("inspect", context.args)


@app.command(context_settings=_PASS_ON, add_help_option=False)
def diff(context: typer.Context) -> None:
    """Tell how two bundles differ."""
    _run_extension("diff", context.args)


@app.command(context_settings=_PASS_ON, add_help_option=False)
def sign(context: typer.Context) -> None:
    """Sign a bundle with an Ed25519 key."""
    _run_extension("sign", context.args)


for _command in (serve, predict, submit, versions, rollback, doctor):
    app.command()(_command)


def main() -> None:
    """Entry point of ``rn``."""
    app(prog_name="rn")


def _run_extension(name: str, arguments: list[str]) -> None:
    found = list(entry_points(group="rn.commands", name=name))
    if not found:
        fail(f"{name} is not installed; install this project again")
    try:
        function = found[0].load()
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in _OWN_PACKAGES:
            raise
        fail(f"rn {name} needs {error.name}: pip install 'reciprocal-norm[train,cpu]'")
    command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    command.command(name)(function)
    command(arguments, prog_name=f"rn {name}")


if __name__ == "__main__":
    main()

"""The command ``rn demo``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rn.failing import fail, one_line
from rn.options.common import AsJson

if TYPE_CHECKING:
    from rich.console import Console

    from rn.demonstration.scenes import Step

EXAMPLE = Path("bundles/digits")
WIDTH = 24
# The demonstration shows a service that publishes what it makes.
SETTINGS = {"RN_ADAPTATION": "auto"}


def demo(
    bundle: Annotated[
        Path, typer.Argument(help="Bundle of the built-in example, as `make serve` makes it.")
    ] = EXAMPLE,
    images: Annotated[
        int, typer.Option(min=1, max=1000, help="Unlabelled images of the new camera.")
    ] = 256,
    batch_size: Annotated[int, typer.Option(min=1, help="Images per request.")] = 32,
    write_images: Annotated[
        Path | None,
        typer.Option(
            help="Only write labelled digits there, for the page: a value of RN_EXAMPLES."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the example adapting to a new camera, refusing junk.

    Serves the bundle on a free port with a ledger of its own, and removes both at the end. The labels of
    the digits measure the accuracy that is shown; the service never sees them.
    """
    if write_images is not None:
        _write(write_images)
        return
    from rich.console import Console

    from rn.demonstration.scenes import play
    from rn.load.errors import LoadError
    from rn.load.local_service import local_service
    from service.client import Client, ClientError

    if not (bundle / "manifest.json").is_file():
        fail(f"{bundle} is not a bundle; `make serve` trains and exports the example")
    steps: list[Step] = []
    with one_line(LoadError, ClientError), local_service(bundle, SETTINGS) as (url, _):
        console = Console(highlight=False, quiet=as_json)
        with Client(url) as client:
            for step in play(client, images, batch_size):
                if not steps or steps[-1].scene != step.scene:
                    console.print(f"\n{step.scene}", style="bold")
                _show(step, console)
                steps.append(step)
    if as_json:
        typer.echo(json.dumps([step.to_json() for step in steps], indent=2))


def _write(folder: Path) -> None:
    from bundle.writing.atomic import write_directory
    from rn.demonstration.images import labelled_files
    from service.models.examples import MAX_EXAMPLES

    if folder.exists():
        fail(f"{folder} exists already; name a folder that does not")
    with one_line(OSError):
        write_directory(folder, labelled_files(MAX_EXAMPLES))
    typer.echo(f"wrote {MAX_EXAMPLES} labelled digits to {folder}")


def _show(step: "Step", console: "Console") -> None:
    """Print a step as one line: version, accuracy, a bar, and what happened."""
    from rich.text import Text

    full = round(step.accuracy * WIDTH)
    bar = "█" * full + "░" * (WIDTH - full)
    console.print(
        Text(f"  version {step.version:<3} {step.accuracy:6.1%}  {bar}  {step.text}"),
        soft_wrap=True,
    )

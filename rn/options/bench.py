"""What ``rn bench`` takes."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Scenario(StrEnum):
    """What ``rn bench`` measures."""

    SINGLE_STREAM = "single-stream"
    OFFLINE = "offline"
    SERVER = "server"
    OPEN_LOOP = "open-loop"


Service = Annotated[
    str, typer.Argument(help="URL of a service, or a bundle to serve while it is measured.")
]
Scenarios = Annotated[
    list[Scenario] | None,
    typer.Option("--scenario", help="Scenario to measure. Repeatable. Default: all but open-loop."),
]
Rates = Annotated[
    list[float] | None,
    typer.Option(
        "--rate", min=1e-3, help="Requests per second of the scenario open-loop. Repeatable."
    ),
]
Clients = Annotated[int, typer.Option(min=1, help="Clients of the scenario offline.")]
Bound = Annotated[
    float | None,
    typer.Option(
        min=1e-3,
        help="Milliseconds that 99 % of the answers may take in the scenario server. Default: five times"
        " the median of the scenario single-stream.",
    ),
]
Seconds = Annotated[float, typer.Option(min=0.1, help="Length of each measurement.")]
WarmUp = Annotated[float, typer.Option(min=0.0, help="Seconds before each measurement.")]
Images = Annotated[
    list[Path] | None,
    typer.Option(
        "--image", help="Image or .npy file to send. Repeatable. Default: synthetic JPEG files."
    ),
]
Npy = Annotated[
    int, typer.Option(min=0, help="Send synthetic arrays of this many images instead of files.")
]
Served = Annotated[
    Path | None,
    typer.Option("--bundle", help="Bundle that the URL serves, to measure the limit with."),
]
Key = Annotated[str | None, typer.Option(envvar="RN_KEY", help="Key of the service.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of images and times.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="JSON file for what was measured.")]
PlotFile = Annotated[
    Path | None, typer.Option("--plot", help="Image file for a plot of latency over rate.")
]

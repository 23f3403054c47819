"""What was measured, for people: a table, and the distance to the limit of the machine."""

from collections.abc import Sequence

from rn.load.ceiling import Ceiling
from rn.load.measurement import PERCENTILES, Measurement
from rn.terminal import Column, show_table

_COLUMNS = (
    Column("scenario"),
    Column("offered/s", right=True, optional=True),
    Column("requests/s", right=True),
    Column("images/s", right=True, optional=True),
    *(Column(f"{name} ms", right=True, optional=name == "p95") for name in PERCENTILES),
    Column("errors", folds=True),
    Column("generator", right=True),
    Column("server", right=True, optional=True),
    Column("MB", right=True, optional=True),
)


def show_measurements(measurements: Sequence[Measurement]) -> None:
    """Print a table; the last columns are the processors used by both sides and the server's memory."""
    show_table(_COLUMNS, map(_row, measurements))


def describe_measurement(measured: Measurement) -> str:
    """One measurement in a line."""
    offered = "" if measured.offered is None else f" of {measured.offered:.1f} offered"
    return (
        f"{measured.scenario}: {measured.requests_per_second:.1f} requests/s{offered},"
        f" p50 {1e3 * measured.percentile(50):.1f} ms, p99 {1e3 * measured.percentile(99):.1f} ms"
    )


def describe_server(bound: float, best: Measurement | None) -> str:
    """The largest rate that kept a bound, in words; the bound is in seconds."""
    if best is None:
        return f"no rate that was tried has 99 % of its answers within {1e3 * bound:.1f} ms"
    return (
        f"up to {best.offered:.1f} requests/s, 99 % of the answers come within {1e3 * bound:.1f} ms"
    )


def describe_limit(ceiling: Ceiling, images: int, best: Measurement) -> list[str]:
    """The limit of the machine, and how near the best measurement came to it, in words.

    Args:
        ceiling: the limit.
        images: images per request.
        best: the measurement with the highest rate.
    """
    rate, own = best.requests_per_second, best.generator.processors
    return [
        f"limit of this machine for this bundle: {ceiling.requests_per_second:.1f} requests/s,"
        f" {ceiling.requests_per_second * images:.1f} images/s"
        f" (decode and run in one process, {ceiling.threads} threads, no server)",
        f"{best.scenario} reached {ceiling.ratio(rate):.2f} of it,"
        f" {ceiling.ratio(rate, own):.2f} without the {own:.2f} processors of the load generator",
    ]


def _row(measured: Measurement) -> list[str]:
    server = measured.server
    memory = None if server is None else server.memory
    return [
        measured.scenario + (" (stopped)" if measured.interrupted else ""),
        "" if measured.offered is None else f"{measured.offered:.1f}",
        f"{measured.requests_per_second:.1f}",
        f"{measured.images_per_second:.1f}",
        *(f"{1e3 * measured.percentile(percent):.1f}" for percent in PERCENTILES.values()),
        ", ".join(f"{number} x {name}" for name, number in measured.errors().items()),
        f"{measured.generator.processors:.2f}",
        "" if server is None else f"{server.processors:.2f}",
        "" if memory is None else f"{memory / 1e6:.0f}",
    ]

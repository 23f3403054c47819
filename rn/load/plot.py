"""Draws latency over the rate of requests."""

from collections.abc import Sequence
from pathlib import Path

from rn.load.ceiling import Ceiling
from rn.load.measurement import PERCENTILES, Measurement


def plot_latency(
    measurements: Sequence[Measurement], ceiling: Ceiling | None, bound: float | None, path: Path
) -> None:
    """Write the latencies of all open loops over their rates.

    Args:
        measurements: what was measured.
        ceiling: limit of the machine, drawn as an upright line.
        bound: bound on the latency in seconds, drawn as a level line.
        path: file to write; its suffix names the format.

    Raises:
        OSError: if the file cannot be written.
    """
    from matplotlib.figure import Figure

    found = [(m.offered, m) for m in measurements if m.offered is not None and len(m.latencies)]
    found.sort(key=lambda pair: pair[0])
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name, percent in PERCENTILES.items():
        values = [1e3 * measured.percentile(percent) for _, measured in found]
        axes.plot([rate for rate, _ in found], values, marker="o", markersize=3, label=name)
    if ceiling is not None:
        axes.axvline(
            ceiling.requests_per_second, color="grey", linestyle="--", label="limit of the machine"
        )
    if bound is not None:
        axes.axhline(1e3 * bound, color="grey", linestyle=":", label="bound")
    axes.set_yscale("log")
    axes.set_xlabel("requests per second, Poisson arrivals")
    axes.set_ylabel("latency from the time a request is due, ms")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path)

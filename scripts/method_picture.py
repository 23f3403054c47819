"""Draws docs/rn.svg, RN on the channel means of one layer: ``python -m scripts.method_picture``."""

from pathlib import Path

import matplotlib
import torch
from matplotlib.figure import Figure

from rn_model.layers.functional import reciprocal_aggregation, reciprocal_compensation

PICTURE = Path(__file__).parents[1] / "docs" / "rn.svg"
CHANNELS, GATE = 12, 0.5
# Seen on white and on black.
GREY, BLUE, RED, GREEN = "#7d8894", "#3b82d6", "#d6493b", "#2f9e5b"


def main() -> None:
    """Draw the picture."""
    generator = torch.Generator().manual_seed(4)
    # So near one another that the softmax is wide, as it is in trained networks.
    source = 0.35 * torch.randn(CHANNELS, generator=generator)
    target = source + 0.3 + 0.15 * torch.randn(CHANNELS, generator=generator)
    compensation = reciprocal_compensation(target, source)
    effective = reciprocal_aggregation(target, compensation, torch.full((CHANNELS,), GATE))
    # Without a date and random names, the same numbers give the same file.
    matplotlib.rcParams["svg.hashsalt"] = "rn"
    matplotlib.rcParams["svg.fonttype"] = "none"
    figure = Figure((7.6, 3.4), layout="constrained")
    axes = figure.add_subplot()
    places = range(CHANNELS)
    for place in places:
        axes.plot([place] * 2, [target[place], compensation[place]], color=GREY, linewidth=1)
    series = (
        (source, "source: its mean", GREY, "x"),
        (target, "target: its own mean", BLUE, "o"),
        (compensation, "compensation from the source", RED, "_"),
        (effective, f"what normalizes, with a gate of {GATE}", GREEN, "D"),
    )
    for values, label, colour, marker in series:
        axes.scatter(places, values, color=colour, marker=marker, label=label, zorder=3)
    axes.set_xlabel("channel", color=GREY)
    axes.set_ylabel("mean of the channel", color=GREY)
    axes.tick_params(colors=GREY)
    axes.set_xticks(list(places))
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(GREY)
    figure.legend(loc="outside upper center", ncols=2, frameon=False, labelcolor=GREY)
    figure.savefig(PICTURE, transparent=True, metadata={"Date": None})


if __name__ == "__main__":
    main()

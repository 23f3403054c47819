"""Charts as SVG elements that belong to a page: its colours, light and dark, and its font.

A chart is painted in colours that stand for the page's CSS variables, and these are put in their
place afterwards. So one drawing serves both colour schemes.
"""

import io
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import matplotlib
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure

SERIES = 10
_NAMES = ("ink", "muted", "grid", "paper", "accent", *(f"c{n}" for n in range(SERIES)))
_STANDS_FOR = {name: f"#fe01{number:02x}" for number, name in enumerate(_NAMES)}
_PLACE = re.compile(r"#fe01([0-9a-f]{2})")
_TAG = re.compile(r"<[^>]+>")
_LONG_NUMBER = re.compile(r"(\d+\.\d\d)\d+")
_NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}
_SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 10,
    "axes.edgecolor": _STANDS_FOR["grid"],
    "axes.labelcolor": _STANDS_FOR["muted"],
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.formatter.useoffset": False,
    "grid.color": _STANDS_FOR["grid"],
    "grid.linewidth": 0.6,
    "text.color": _STANDS_FOR["ink"],
    "xtick.color": _STANDS_FOR["grid"],
    "ytick.color": _STANDS_FOR["grid"],
    "xtick.labelcolor": _STANDS_FOR["muted"],
    "ytick.labelcolor": _STANDS_FOR["muted"],
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
}

Mark = Literal["line", "dashed", "dotted", "dot", "ring"]


class Key(NamedTuple):
    """An entry of a legend; ``color`` is a name of :func:`color` or a CSS colour."""

    label: str
    color: str
    mark: Mark = "line"

    @property
    def css(self) -> str:
        """The colour in CSS."""
        return f"var(--{self.color})" if self.color in _STANDS_FOR else self.color


@dataclass(frozen=True)
class Chart:
    """A drawing with what is said of it.

    Attributes:
        title: above it.
        svg: the drawing, with its description for those who do not see it.
        caption: below it.
        legend: between title and drawing.
        dense: whether its text is so small that it must not be shrunk on small screens.
    """

    title: str
    svg: Markup
    caption: str = ""
    legend: tuple[Key, ...] = ()
    dense: bool = False


def color(name: str) -> str:
    """What to paint with for the CSS variable of a name.

    Raises:
        KeyError: if the page has no such colour.
    """
    return _STANDS_FOR[name]


def series(number: int) -> str:
    """The name of the colour of a series; they repeat after ten."""
    return f"c{number % SERIES}"


def draw(
    name: str,
    description: str,
    paint: Callable[[Axes], None],
    *,
    size: tuple[float, float] = (4.6, 2.7),
) -> Markup:
    """Paint a chart.

    Args:
        name: of the chart, unique on the page; letters and hyphens.
        description: for people who do not see it.
        paint: draws on the axes.
        size: in inches; an inch is 72 pixels, up to half more where there is room.
    """
    settings: dict[Any, Any] = {**_SETTINGS, "svg.hashsalt": name}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # The reader's fonts draw the text; matplotlib's only have to measure it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=size, layout="constrained")
        figure.patch.set_alpha(0)
        axes = figure.add_subplot()
        axes.patch.set_alpha(0)
        paint(axes)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata=_NO_METADATA)
    return _element(buffer.getvalue(), name, description, round(108 * size[0]))


def short(text: object, most: int = 16) -> str:
    """A label on one line that leaves room for the chart."""
    line = " ".join(str(text).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def listed(names: Sequence[str]) -> str:
    """Names as part of a sentence."""
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + "".join(names[-1:])


def _element(drawing: str, name: str, description: str, widest: int) -> Markup:
    """What ``<svg>`` holds, fit to stand inside of HTML next to other drawings."""
    svg = drawing[drawing.index("<svg") :]
    head, _, body = svg.partition(">")
    box = re.search(r'viewBox="[^"]*"', head)
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'(\s)id="([^"]*)"', rf'\1id="{name}-\2"', body)
    body = re.sub(r'xlink:href="#', f'href="#{name}-', body).replace("xlink:href=", "href=")
    body = re.sub(r"url\(#", f"url(#{name}-", body)
    body = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", body)
    body = _PLACE.sub(lambda found: f"var(--{_NAMES[int(found[1], 16)]})", body)
    body = _TAG.sub(lambda tag: _LONG_NUMBER.sub(r"\1", tag[0]), body)
    opening = (
        f'<svg {box[0] if box else ""} style="max-width: {widest}px" role="img"'
        f' aria-label="{escape(description)}">'
    )
    return Markup(opening + body.strip())

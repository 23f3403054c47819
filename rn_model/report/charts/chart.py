"""Charts as SVG elements that use the colours (light and dark) and the font of their page.

A chart is painted with placeholder colours, which are replaced by CSS variables of the page. One
drawing thus serves both colour schemes.
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
_PLACEHOLDERS = {name: f"#fe01{number:02x}" for number, name in enumerate(_NAMES)}
_PLACE = re.compile(r"#fe01([0-9a-f]{2})")
_TAG = re.compile(r"<[^>]+>")
_LONG_NUMBER = re.compile(r"(\d+\.\d\d)\d+")
_NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}
_SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 10,
    "axes.edgecolor": _PLACEHOLDERS["grid"],
    "axes.labelcolor": _PLACEHOLDERS["muted"],
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.formatter.useoffset": False,
    "grid.color": _PLACEHOLDERS["grid"],
    "grid.linewidth": 0.6,
    "text.color": _PLACEHOLDERS["ink"],
    "xtick.color": _PLACEHOLDERS["grid"],
    "ytick.color": _PLACEHOLDERS["grid"],
    "xtick.labelcolor": _PLACEHOLDERS["muted"],
    "ytick.labelcolor": _PLACEHOLDERS["muted"],
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
}

Mark = Literal["line", "dashed", "dotted", "dot", "ring"]


class Key(NamedTuple):
    """An entry of a legend; ``color`` is a CSS colour or a name that :func:`color` knows."""

    label: str
    color: str
    mark: Mark = "line"

    @property
    def css(self) -> str:
        """The colour in CSS."""
        return f"var(--{self.color})" if self.color in _PLACEHOLDERS else self.color


@dataclass(frozen=True)
class Chart:
    """A drawing with title, legend and caption.

    Attributes:
        title: title above the drawing.
        svg: the drawing, with a description for screen readers.
        caption: text below the drawing.
        legend: entries of the legend, between title and drawing.
        dense: whether the text is too small to be shrunk on small screens.
    """

    title: str
    svg: Markup
    caption: str = ""
    legend: tuple[Key, ...] = ()
    dense: bool = False


def color(name: str) -> str:
    """The placeholder colour for a CSS variable of the page.

    Raises:
        KeyError: if the page has no such colour.
    """
    return _PLACEHOLDERS[name]


def series(number: int) -> str:
    """Name of the colour of a series; colours repeat after ten."""
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
        name: name of the chart, unique on the page; letters and hyphens.
        description: description for screen readers.
        paint: function that draws on the axes.
        size: width and height in inches; an inch is 72 pixels, or up to 108 if there is room.
    """
    settings: dict[Any, Any] = {**_SETTINGS, "svg.hashsalt": name}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # The browser's fonts render the text; matplotlib's fonts only measure it.
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
    """Shorten a label to one line of at most ``most`` characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def listed(names: Sequence[str]) -> str:
    """Join names as in a sentence: ``a, b and c``."""
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + "".join(names[-1:])


def _element(drawing: str, name: str, description: str, widest: int) -> Markup:
    """Make an SVG file an element of an HTML page, with ids that are unique on the page."""
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

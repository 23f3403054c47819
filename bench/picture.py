"""Draws docs/accuracy.svg from docs/results/online.json: ``python -m bench.picture``."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
RESULTS = DOCS / "results" / "online.json"
PICTURE = DOCS / "accuracy.svg"

# What a reader sees for each scene of bench.online_digits, on two lines.
CAPTIONS = {
    "new camera": ("The camera changes:", "a third of the contrast"),
    "adapted": ("Adapted network,", "target statistics removed"),
    "source only": ("Network trained", "on the source alone"),
}
WIDTH, LEFT, RIGHT = 760, 210, 700
TOP, ROW, BAR = 96, 66, 20

# The picture brings its own background, so that it can be read on any page.
STYLE = """
    .card { fill: #ffffff; stroke: #d5dbe3; }
    text { fill: #1d2733; font-family: system-ui, sans-serif; font-size: 14px; }
    .title { font-size: 17px; font-weight: 600; }
    .quiet { fill: #5b6b7f; font-size: 12px; }
    .grid { stroke: #e3e8ee; }
    .before { fill: #a3afbd; }
    .after { fill: #1f6fd6; }
    .value { font-weight: 600; paint-order: stroke; stroke: #ffffff; stroke-width: 4px; }
    @media (prefers-color-scheme: dark) {
      .card { fill: #10161e; stroke: #2c3644; }
      text { fill: #e6ebf1; }
      .quiet { fill: #9aa8b8; }
      .grid { stroke: #263140; }
      .before { fill: #66758a; }
      .after { fill: #5aa2ff; }
      .value { stroke: #10161e; }
    }
"""


@dataclass(frozen=True)
class Scene:
    """Accuracy of one served bundle, in percent.

    Attributes:
        name: name of the scene in :mod:`bench.online_digits`.
        before: before any image was posted.
        online: after the images were posted to ``/adapt``.
        offline: with statistics estimated offline on the same images.
    """

    name: str
    before: float
    online: float
    offline: float


def main() -> None:
    """Write the picture."""
    PICTURE.write_text(draw(json.loads(RESULTS.read_text())))


def draw(results: dict[str, Any]) -> str:
    """The picture as an SVG document.

    Args:
        results: content of ``docs/results/online.json``.
    """
    scenes = [Scene(**scene) for scene in results["scenes"]]
    height = TOP + ROW * len(scenes) + 46
    best = scenes[0]
    summary = (
        f"Accuracy of the served model before and after {results['posted']:,} unlabelled images"
        f" were posted to /adapt; for example {best.before} % before and {best.online} % after."
    )
    note = (
        f"Handwritten digits, {results['measured']} held-out images, mean of {results['draws']}"
        " draws. No label of this domain was used to adapt."
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        f' width="{WIDTH}" height="{height}" role="img" aria-label="{escape(summary)}">',
        f"  <style>{STYLE}  </style>",
        f'  <rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>',
        _text(
            24,
            34,
            f"Accuracy (%) before and after {results['posted']:,} unlabelled images",
            "title",
        ),
        *_legend(),
        *_grid(len(scenes)),
        *(line for row, scene in enumerate(scenes) for line in _bars(row, scene)),
        _text(24, height - 18, note, "quiet"),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _legend() -> Iterator[str]:
    for x, kind, label in (
        (24, "before", "before"),
        (104, "after", "after they were posted to /adapt"),
    ):
        yield f'  <rect class="{kind}" x="{x}" y="50" width="14" height="14" rx="2"/>'
        yield _text(x + 20, 62, label)


def _grid(rows: int) -> Iterator[str]:
    bottom = TOP + ROW * rows - 8
    for percent in (0, 25, 50, 75, 100):
        x = _position(percent)
        yield f'  <path class="grid" d="M{x:g} {TOP - 8} V{bottom}"/>'
        yield _text(x, TOP - 14, f"{percent} %", "quiet", anchor="middle")


def _bars(row: int, scene: Scene) -> Iterator[str]:
    top = TOP + ROW * row
    for line, caption in enumerate(CAPTIONS[scene.name]):
        yield _text(24, top + 17 + 20 * line, caption)
    for kind, value, y in (
        ("before", scene.before, top),
        ("after", scene.online, top + BAR + 4),
    ):
        end = _position(value)
        yield (
            f'  <rect class="{kind}" x="{LEFT}" y="{y}" width="{end - LEFT:g}"'
            f' height="{BAR}" rx="2"/>'
        )
        yield _text(end + 6, y + 15, f"{value:.1f}", "value")


def _position(percent: float) -> float:
    return round(LEFT + (RIGHT - LEFT) * percent / 100, 1)


def _text(x: float, y: float, content: str, kind: str = "", anchor: str = "start") -> str:
    extra = f' class="{kind}"' if kind else ""
    extra += f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'  <text x="{x:g}" y="{y:g}"{extra}>{escape(content)}</text>'


if __name__ == "__main__":
    main()

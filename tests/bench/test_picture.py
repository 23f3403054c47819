"""The picture in the README shows the numbers of docs/results.md."""

import json
import re
from typing import Any
from xml.etree import ElementTree

import pytest

from bench.picture import CAPTIONS, DOCS, PICTURE, RESULTS, draw


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(RESULTS.read_text())
    return content


def test_picture_agrees_with_the_results(results: dict[str, Any]) -> None:
    assert PICTURE.read_text() == draw(results), "run `make docs`"


def test_picture_shows_every_value(results: dict[str, Any]) -> None:
    drawn = ElementTree.fromstring(draw(results))
    texts = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
    for scene in results["scenes"]:
        assert f"{scene['before']:.1f}" in texts
        assert f"{scene['online']:.1f}" in texts
        assert set(CAPTIONS[scene["name"]]) <= set(texts)


def test_bars_are_in_proportion(results: dict[str, Any]) -> None:
    drawn = ElementTree.fromstring(draw(results))
    bars = [e for e in drawn.iter("{http://www.w3.org/2000/svg}rect") if e.get("height") == "20"]
    values = [scene[column] for scene in results["scenes"] for column in ("before", "online")]
    widths = [float(bar.attrib["width"]) for bar in bars]
    assert len(widths) == len(values)
    for width, value in zip(widths, values, strict=True):
        assert width / widths[0] == pytest.approx(value / values[0], abs=0.01)


def test_page_of_results_has_the_same_numbers(results: dict[str, Any]) -> None:
    page = (DOCS / "results.md").read_text()
    rows = re.findall(r"^\| .* \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", page, re.MULTILINE)
    expected = [
        tuple(f"{scene[column]:.1f}" for column in ("before", "online", "offline"))
        for scene in results["scenes"]
    ]
    assert rows == expected

import re
from xml.etree import ElementTree

import pytest
from matplotlib.axes import Axes

from rn_model.report.charts.chart import Key, color, draw, listed, series, short


def _paint(axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], "o-", color=color("c3"))


def test_a_drawing_has_the_colours_of_the_page_and_no_others() -> None:
    svg = str(draw("one", "a line", _paint))
    assert "var(--c3)" in svg and "var(--muted)" in svg
    assert set(re.findall(r"#[0-9a-f]{6}", svg)) <= {"#000000"}


def test_a_drawing_is_well_formed_and_described() -> None:
    svg = str(draw("one", 'a "line" <of> points & more', _paint))
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    assert root.get("aria-label") == 'a "line" <of> points & more'
    assert "http" not in svg and "<metadata" not in svg


def test_two_drawings_share_no_identifiers_and_keep_their_references() -> None:
    identifiers = []
    for name in ("one", "two"):
        svg = str(draw(name, "a line", _paint))
        found = set(re.findall(r'\bid="([^"]*)"', svg))
        used = set(re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', svg))
        assert used and {a or b for a, b in used} <= found
        identifiers.append(found)
    assert not identifiers[0] & identifiers[1]


def test_equal_charts_are_equal_drawings() -> None:
    assert draw("one", "a line", _paint) == draw("one", "a line", _paint)


def test_labels_are_text_whatever_they_hold() -> None:
    label = "--><script>$\\frac$</script>&日本"

    def paint(axes: Axes) -> None:
        axes.set_xticks([0], [label])

    svg = str(draw("one", "labels", paint))
    assert "<script" not in svg
    texts = ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter()]
    assert label in {text.strip() for text in texts}


def test_long_labels_are_cut_and_lines_joined() -> None:
    assert short("a\nb  c") == "a b c"
    assert short("x" * 20, 5) == "xxxx…"


@pytest.mark.parametrize(
    ("names", "text"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_names_are_listed_as_in_a_sentence(names: list[str], text: str) -> None:
    assert listed(names) == text


def test_a_key_takes_colours_of_the_page_and_of_css() -> None:
    assert Key("a", series(11)).css == "var(--c1)"
    assert Key("a", "#123456").css == "#123456"

import pytest
import torch
from torch import Tensor

from rn_model.digits.glyphs import digit_fonts, glyph_points, thin


def _bitmap(rows: list[str]) -> Tensor:
    return torch.tensor([[character == "#" for character in row] for row in rows]).unsqueeze(0)


def _pieces(bitmap: Tensor) -> int:
    """The number of 8-connected components of the ink, by flooding."""
    left = {(int(y), int(x)) for y, x in bitmap.nonzero()}
    pieces = 0
    while left:
        pieces += 1
        front = [left.pop()]
        while front:
            y, x = front.pop()
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            front.extend(near)
    return pieces


def test_a_bar_thins_to_a_line() -> None:
    bar = torch.zeros(1, 9, 20, dtype=torch.bool)
    bar[:, 2:7, 3:17] = True
    line = thin(bar)[0]
    assert int(line.sum(dim=0).max()) == 1
    assert 8 <= int(line.sum()) <= 14
    assert bool((line <= bar[0]).all())


def test_a_line_is_left_alone() -> None:
    line = _bitmap([".....", ".###.", "....."])
    assert torch.equal(thin(line), line)


@pytest.mark.parametrize("hole", [0, 1])
def test_thinning_breaks_nothing_and_fills_nothing(hole: int) -> None:
    ring = torch.ones(1, 15, 15, dtype=torch.bool)
    ring[:, 0], ring[:, -1], ring[:, :, 0], ring[:, :, -1] = False, False, False, False
    if hole:
        ring[:, 5:10, 5:10] = False
    thinned = thin(ring)[0]
    assert _pieces(thinned) == 1
    background = torch.nn.functional.pad(~thinned, (1, 1, 1, 1), value=True)
    assert _pieces(background) == 1 + hole


def test_fonts_are_those_with_digits() -> None:
    names = [path.name for path in digit_fonts()]
    assert "DejaVuSans.ttf" in names and "STIXGeneral.ttf" in names and "cmr10.ttf" in names
    assert not [name for name in names if "LastResort" in name or "Siz" in name or "cmsy" in name]


def test_every_font_has_every_digit() -> None:
    glyphs = glyph_points()
    assert [label for label, _, _ in glyphs] == list(range(10)) * len(digit_fonts())
    for _, area, line in glyphs:
        assert len(line) >= 20
        assert len(area) > len(line)


def test_digits_of_a_font_differ() -> None:
    areas = {tuple(area.flatten().tolist()) for _, area, _ in glyph_points()[:10]}
    assert len(areas) == 10

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rn_model.report.charts.chart import Key
from rn_model.report.charts.line_chart import Curve, Timeline, draw_lines, smoothed


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40), st.integers(0, 6))
def test_smoothing_is_the_mean_over_the_neighbours_that_there_are(
    values: list[float], reach: int
) -> None:
    expected = [
        np.mean(values[max(0, place - reach) : place + reach + 1]) for place in range(len(values))
    ]
    np.testing.assert_allclose(smoothed(np.array(values), 2 * reach + 1), expected, atol=1e-9)


def test_the_axis_counts_the_steps_of_each_stage() -> None:
    line = Timeline(boundary=100, both=True, selected=None)
    assert line.place({"stage": "source", "step": 40}) == 40
    assert line.place({"stage": "adapt", "step": 40}) == 140
    assert [line.step(place) for place in (40, 100, 140)] == [40, 100, 40]


def test_the_description_gives_first_and_last_values() -> None:
    curve = Curve(Key("loss", "c0"), np.array([1.0, 2.0]), np.array([3.0, 0.5]))
    svg = draw_lines("loss", "The loss", [curve], Timeline(0, False, 2))
    assert "The loss over the training steps. loss from 3 to 0.5." in svg


@pytest.mark.parametrize("count", [0, 1])
def test_few_values_can_be_drawn(count: int) -> None:
    values = np.ones(count)
    curve = Curve(Key("loss", "c0"), values, values)
    assert "<svg" in draw_lines("loss", "The loss", [curve], Timeline(0, False, None), smooth=True)

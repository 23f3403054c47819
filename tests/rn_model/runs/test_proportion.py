import pytest
from scipy.stats import binomtest

from rn_model.runs.proportion import Proportion


@pytest.mark.parametrize(
    ("correct", "images"), [(0, 1), (1, 1), (0, 20), (14, 20), (20, 20), (350, 500)]
)
def test_the_interval_is_wilsons(correct: int, images: int) -> None:
    expected = binomtest(correct, images).proportion_ci(0.95, method="wilson")
    assert Proportion(correct=correct, images=images).interval == pytest.approx(
        tuple(expected), abs=1e-6
    )


def test_it_reads_as_a_sentence() -> None:
    text = str(Proportion(correct=14, images=20))
    assert text == "14 of 20 (70.0%, 95 % interval 48.1% to 85.5%)"

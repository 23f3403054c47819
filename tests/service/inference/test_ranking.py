import numpy as np
import pytest

from service.inference.ranking import FEW, most_probable


@pytest.mark.parametrize("count", [1, 3, FEW, FEW + 1, 50])
def test_the_most_probable_come_first_and_ties_in_their_order(count: int) -> None:
    # Few different values, so that there are many ties.
    rows = np.random.default_rng(count).integers(0, 4, (20, 12)) / 10
    expected = [sorted(range(12), key=lambda place: (-row[place], place))[:count] for row in rows]
    assert most_probable(rows, count).tolist() == expected

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from export.checks.images import evenly_spaced


@given(st.integers(1, 400), st.integers(1, 50))
def test_a_part_is_spread_over_all_images(total: int, count: int) -> None:
    images = np.arange(total, dtype=np.uint8 if total < 256 else np.uint16)
    chosen = evenly_spaced(images, count).astype(int)  # type: ignore[arg-type]
    assert len(chosen) == min(total, count)
    steps = np.diff(chosen)
    assert (steps >= 1).all() and (len(steps) == 0 or steps.max() - steps.min() <= 1)
    assert chosen[0] == 0 and (len(chosen) == 1 or chosen[-1] == total - 1)

"""When the requests of an open loop are due."""

import numpy as np
from numpy.typing import NDArray


def poisson_arrivals(rate: float, seconds: float, seed: int) -> NDArray[np.float64]:
    """Times of a Poisson process, in seconds from its start, in order.

    Args:
        rate: mean number of arrivals per second.
        seconds: length of the process.
        seed: seed of the random numbers; the same seed gives the same times.
    """
    generator = np.random.default_rng(seed)
    # Given their number, the times of a Poisson process are uniform.
    count = generator.poisson(rate * seconds)
    return np.sort(generator.uniform(0.0, seconds, count))

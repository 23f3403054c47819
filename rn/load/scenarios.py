"""The scenarios of MLPerf's inference benchmark, and an open loop at a rate that is given."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from rn.load.measurement import Measurement
from rn.load.search import largest_rate
from rn.load.sending.arrivals import poisson_arrivals
from rn.load.sending.closed_loop import ClosedLoop
from rn.load.sending.load import Load, run_load
from rn.load.sending.open_loop import OpenLoop

# A rate counts as served if so many of its requests succeed.
MIN_SUCCEEDED = 0.99
# Without a bound, the server scenario allows this many times the latency of a single client.
DEFAULT_BOUND = 5.0


@dataclass
class Bench:
    """Runs scenarios against one server, and keeps what they measured.

    Attributes:
        load: the requests.
        seconds: length of each measurement.
        warm_up: seconds before each measurement.
        seed: seed of the arrival times.
        announce: called with each measurement when it is done.
        measurements: everything that was measured, in order.
        bound: the bound of the scenario server in seconds; None before it ran.
        best_rate: what was measured at the largest rate that kept it; None if no rate did.
    """

    load: Load
    seconds: float = 10.0
    warm_up: float = 2.0
    seed: int = 0
    announce: Callable[[Measurement], None] = lambda _: None
    measurements: list[Measurement] = field(default_factory=list)
    bound: float | None = None
    best_rate: Measurement | None = None

    @property
    def interrupted(self) -> bool:
        """Whether the last load was stopped before its time."""
        return bool(self.measurements) and self.measurements[-1].interrupted

    def single_stream(self) -> Measurement:
        """One client, which sends its next request when the last one was answered."""
        return self._keep(
            run_load(self.load, ClosedLoop(1, self.seconds, self.warm_up, "single stream"))
        )

    def offline(self, clients: int) -> Measurement:
        """So many clients that the server always has work."""
        return self._keep(
            run_load(self.load, ClosedLoop(clients, self.seconds, self.warm_up, "offline"))
        )

    def open_loop(self, rate: float, scenario: str = "open loop") -> Measurement:
        """Poisson arrivals at a rate of requests per second."""
        length = self.warm_up + self.seconds
        # Each measurement has arrivals of its own, the same in every run.
        arrivals = poisson_arrivals(rate, length, self.seed + len(self.measurements))
        loop = OpenLoop(arrivals.tolist(), length, self.warm_up, scenario=scenario)
        return self._keep(run_load(self.load, loop))

    def server(self, bound: float, estimate: float) -> None:
        """The largest rate of Poisson arrivals that :func:`keeps_bound`, by search.

        Args:
            bound: latency in seconds.
            estimate: requests per second near which the rate is expected.
        """
        self.bound = bound
        kept: dict[float, Measurement] = {}

        def keeps(rate: float) -> bool:
            if self.interrupted:
                return False
            measured = self.open_loop(rate, "server")
            kept[rate] = measured
            return not measured.interrupted and keeps_bound(measured, bound)

        rate, _ = largest_rate(keeps, estimate)
        self.best_rate = None if rate is None else kept[rate]

    def _keep(self, measured: Measurement) -> Measurement:
        self.measurements.append(measured)
        self.announce(measured)
        return measured


def keeps_bound(measured: Measurement, bound: float) -> bool:
    """Whether nearly all requests succeeded, and 99 % of them within a bound in seconds."""
    if not len(measured.statuses):
        return False
    succeeded = float(np.mean(measured.succeeded))
    return succeeded >= MIN_SUCCEEDED and measured.percentile(99) <= bound

"""What a load measured: how many requests were answered, how, and how fast."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Statuses of requests that no server answered.
BROKEN = 0
UNANSWERED = -1

PERCENTILES = {"p50": 50.0, "p95": 95.0, "p99": 99.0, "p99.9": 99.9}
_NAMES = {BROKEN: "connection lost", UNANSWERED: "unanswered"}


@dataclass(frozen=True)
class Usage:
    """Processor time and memory of processes over a measurement.

    Attributes:
        processors: processors that were used on average, such as 1.4.
        memory: bytes of memory, pages that processes share counted once; None if unknown.
    """

    processors: float
    memory: int | None = None


@dataclass(frozen=True)
class Measurement:
    """The requests of one load over one window of time.

    Attributes:
        scenario: what the load was, in words.
        seconds: length of the window.
        images: images per request.
        latencies: seconds from the moment a request was due until its answer, of all requests with an
            answer of any status, and of those without one until they were given up.
        statuses: status of each request, in the order of ``latencies``.
        due: when each request was due, in seconds from the beginning of the window; empty if unknown.
        offered: requests per second that were due; None where each client waits for its answer.
        clients: connections that were used at most.
        generator: processors that the load generator itself used.
        server: usage of the server's processes, if it runs on this machine.
        lateness: 99th percentile of the seconds by which requests were sent later than they were due.
        interrupted: whether the load was stopped before its time.
    """

    scenario: str
    seconds: float
    images: int
    latencies: NDArray[np.float64]
    statuses: NDArray[np.int16]
    due: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    offered: float | None = None
    clients: int = 1
    generator: Usage = field(default_factory=lambda: Usage(0.0))
    server: Usage | None = None
    lateness: float = 0.0
    interrupted: bool = False

    @property
    def succeeded(self) -> NDArray[np.bool_]:
        """Which requests were answered with a status of success."""
        return (self.statuses >= 200) & (self.statuses < 300)

    @property
    def requests_per_second(self) -> float:
        """Successful answers per second."""
        return self._per_second(int(self.succeeded.sum()))

    @property
    def images_per_second(self) -> float:
        """Images per second in successful answers."""
        return self.requests_per_second * self.images

    def goodput(self, bound: float) -> float:
        """Successful answers per second that took at most ``bound`` seconds."""
        return self._per_second(int((self.succeeded & (self.latencies <= bound)).sum()))

    def percentile(self, percent: float) -> float:
        """Latency in seconds that this percentage of all requests kept; NaN without requests.

        Refusals are left out, because a quick refusal is not a quick answer; requests without any
        answer count with the time that they waited.
        """
        kept = self.latencies[self.succeeded | (self.statuses == UNANSWERED)]
        return float(np.percentile(kept, percent)) if len(kept) else float("nan")

    def refusals(self) -> NDArray[np.float64]:
        """Latencies in seconds of the answers 429 and 503."""
        refused: NDArray[np.float64] = self.latencies[np.isin(self.statuses, (429, 503))]
        return refused

    def errors(self) -> dict[str, int]:
        """Number of requests that did not succeed, by status or reason."""
        counted = Counter(int(status) for status in self.statuses[~self.succeeded])
        return {_NAMES.get(status, str(status)): n for status, n in sorted(counted.items())}

    def _per_second(self, count: int) -> float:
        return count / self.seconds if self.seconds > 0 else 0.0

    def to_json(self, bound: float | None = None) -> dict[str, Any]:
        """All figures as JSON values; latencies in milliseconds.

        Args:
            bound: latency in seconds within which an answer counts as goodput; None for any.
        """
        latency: Mapping[str, float | None] = {
            name: _finite(1e3 * self.percentile(percent)) for name, percent in PERCENTILES.items()
        }
        refused = self.refusals()
        return {
            "scenario": self.scenario,
            "clients": self.clients,
            "seconds": round(self.seconds, 3),
            "requests": len(self.statuses),
            "offered_per_second": self.offered,
            "requests_per_second": self.requests_per_second,
            "images_per_second": self.images_per_second,
            "goodput_per_second": self.goodput(float("inf") if bound is None else bound),
            "latency_ms": latency,
            "refusal_p99_ms": 1e3 * float(np.percentile(refused, 99)) if len(refused) else None,
            "errors": self.errors(),
            "generator_processors": self.generator.processors,
            "server_processors": None if self.server is None else self.server.processors,
            "server_memory_bytes": None if self.server is None else self.server.memory,
            "sent_late_p99_ms": 1e3 * self.lateness,
            "interrupted": self.interrupted,
        }


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None

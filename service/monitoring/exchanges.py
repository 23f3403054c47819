"""Requests from their first header to the end of their answer, by route and outcome."""

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, Gauge, Histogram

OTHER = "other"
_METHODS = frozenset(("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"))


class Exchanges:
    """Times of requests with their answers, and how many are under way.

    Args:
        registry: registry of the metrics.
        buckets: upper bounds of the times, in seconds.

    Attributes:
        under_way: requests that are not answered completely.
    """

    def __init__(self, registry: CollectorRegistry, buckets: Sequence[float]) -> None:
        self._seconds = Histogram(
            "rn_http_request_seconds",
            "Time from the headers of a request to the end of its answer.",
            ["route", "method", "status"],
            buckets=buckets,
            registry=registry,
        )
        self.under_way = Gauge(
            "rn_http_requests_in_progress",
            "Requests that are not answered completely.",
            registry=registry,
        )
        self._children: dict[tuple[str, str, int], Histogram] = {}

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request.

        Args:
            route: template of the path, never the path itself, which anybody can make up.
            method: HTTP method; unusual ones count together.
            status: status of the answer, counted by its hundreds.
            seconds: time from the headers to the end of the answer.
        """
        key = (route, method if method in _METHODS else OTHER, status // 100)
        child = self._children.get(key)
        if child is None:
            child = self._seconds.labels(key[0], key[1], f"{key[2]}xx")
            self._children[key] = child
        child.observe(seconds)

    def buckets(self) -> Iterator[tuple[Mapping[str, str], float, float]]:
        """Labels, upper bound and cumulative count of every bucket of every kind of request."""
        for metric in self._seconds.collect():
            for sample in metric.samples:
                if sample.name.endswith("_bucket"):
                    yield sample.labels, float(sample.labels["le"]), sample.value

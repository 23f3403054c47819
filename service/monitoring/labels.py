"""Children of a labelled metric, looked up once, and never more than a fixed number of them."""

from threading import Lock

from prometheus_client import Counter

OTHER = "other"


class BoundedCounter:
    """Counts by a label with many possible values; those beyond the first ``most`` count as ``other``.

    Every value costs a line of each scrape, and memory in what scrapes: a model may have thousands of
    classes.

    Args:
        counter: counter whose last label is the bounded one.
        most: number of values, per combination of the other labels, that are counted by themselves.
    """

    def __init__(self, counter: Counter, most: int) -> None:
        self._counter = counter
        self._most = most
        self._children: dict[tuple[str, ...], dict[str, Counter]] = {}
        self._lock = Lock()

    def inc(self, *labels: str) -> None:
        """Count one, under the values of all labels."""
        *others, value = labels
        known = self._children.get(tuple(others))
        child = None if known is None else known.get(value)
        (self._add(tuple(others), value) if child is None else child).inc()

    def remove(self, others: dict[str, str]) -> None:
        """Remove what was counted under the values of all labels, in their order, but the bounded one."""
        with self._lock:
            self._children.pop(tuple(others.values()), None)
            self._counter.remove_by_labels(others)

    def _add(self, others: tuple[str, ...], value: str) -> Counter:
        with self._lock:
            known = self._children.setdefault(others, {})
            if value not in known:
                own = len(known) - (OTHER in known) < self._most
                name = value if own else OTHER
                if name not in known:
                    known[name] = self._counter.labels(*others, name)
                # A value without a counter of its own is looked up again; it is not remembered.
                return known[name]
            return known[value]

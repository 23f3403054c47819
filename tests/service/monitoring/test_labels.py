from prometheus_client import CollectorRegistry, Counter

from service.monitoring.labels import BoundedCounter


def test_values_beyond_the_bound_count_together() -> None:
    registry = CollectorRegistry()
    counter = Counter("n", "N.", ["model", "label"], registry=registry)
    bounded = BoundedCounter(counter, 2)
    for label in ("a", "b", "c", "a", "d", "c"):
        bounded.inc("one", label)
    bounded.inc("two", "d")

    def value(model: str, label: str) -> float | None:
        return registry.get_sample_value("n_total", {"model": model, "label": label})

    assert [value("one", label) for label in ("a", "b", "c", "d", "other")] == [2, 1, None, None, 3]
    assert value("two", "d") == 1

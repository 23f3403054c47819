"""Reports one target in the metrics."""

from service.monitoring.metrics import Metrics


class TargetReport:
    """Keeps the metrics of a target up to date.

    Args:
        target: name of the target.
        metrics: metrics of the application.
    """

    def __init__(self, target: str, metrics: Metrics) -> None:
        self._target = target
        self._metrics = metrics

    def report_record(self, serving: int, pending: int, frozen: bool) -> None:
        """Report the record of the target as it is now."""
        self._metrics.serving.labels(self._target).set(serving)
        self._metrics.pending.labels(self._target).set(pending)
        self._metrics.frozen.labels(self._target).set(frozen)

    def count_batch(self, admitted: int, not_admitted: int, *, alarm: bool) -> None:
        """Count the images of a batch."""
        self._metrics.adapted.labels(self._target, "admitted").inc(admitted)
        self._metrics.adapted.labels(self._target, "refused").inc(not_admitted)
        if alarm:
            self._metrics.alarms.labels(self._target).inc()

    def count_version(self, status: str) -> None:
        """Count a candidate version by its outcome."""
        self._metrics.versions.labels(self._target, status).inc()

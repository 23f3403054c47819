"""Reports one model, or one target of it, in the metrics and in the log."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from prometheus_client import Counter, Gauge

from service.monitoring.logs import log_event
from service.monitoring.metrics import Metrics
from service.vocabulary import EventKind

logger = logging.getLogger(__name__)

_OUTCOMES = ("published", "proposed", "rejected", "failed", "rolled_back")
_LEVELS: dict[EventKind, int] = {
    "merged": logging.DEBUG,
    "alarm": logging.WARNING,
    "new_domain": logging.WARNING,
    "recalled_domain": logging.WARNING,
    "rejected": logging.WARNING,
    "rolled_back": logging.WARNING,
    "frozen": logging.WARNING,
}
_MESSAGES: dict[EventKind, str] = {
    "opened": "opened",
    "merged": "{admitted} of {received} images were admitted",
    "new_domain": "new domain {domain}: {alarm}; {admitted} images begin it",
    "recalled_domain": "domain {domain} again: {alarm}; version {version} is served",
    "domain_changed": "domain {domain} was named or pinned",
    "domain_forgotten": "domain {domain} forgotten",
    "alarm": "{alarm}; {admitted} of {received} images were admitted",
    "published": "version {version} published",
    "proposed": "version {version} proposed; a person may promote it",
    "rejected": "version {version} rejected: {reason}",
    "promoted": "version {version} promoted; before, version {previous} was served",
    "rolled_back": "rolled back from version {previous} to version {version}",
    "reset": "reset from version {previous} to the exported version",
    "shadow_set": "version {version} has the label shadow",
    "shadow_removed": "version {previous} has the label shadow no more",
    "frozen": "adaptation switched off",
    "unfrozen": "adaptation switched on",
    "evidence": "{labels} labels on version {version}: {verdict}",
    "mode": "mode {mode}; before, it was {previous_mode}",
}


class ModelReport:
    """Reports that a model is loaded, and that it is not any more.

    Args:
        model: name of the model.
        bundle: fingerprint of its bundle.
        provider: execution provider that is really used.
        metrics: metrics of the application.
    """

    def __init__(self, model: str, bundle: str, provider: str, metrics: Metrics) -> None:
        self._fields = {"model": model, "bundle": bundle, "provider": provider}
        self._models = metrics.models

    def loaded(self) -> None:
        """Report that the model can be used."""
        self._models.labels(**self._fields).set(1)
        self._log("model_loaded", "loaded")

    def unloaded(self) -> None:
        """Report that the model cannot be used any more."""
        self._models.remove(*self._fields.values())
        self._log("model_unloaded", "unloaded")

    def _log(self, event: str, what: str) -> None:
        message = f"model {self._fields['model']} {what}"
        log_event(logger, logging.INFO, event, message, **self._fields)


class TargetReport:
    """Keeps the metrics of a target up to date, and logs what happens to it.

    Args:
        model: name of the model.
        target: name of the target.
        metrics: metrics of the application.

    Attributes:
        version_seconds: time to build, score and publish a version.
    """

    def __init__(self, model: str, target: str, metrics: Metrics) -> None:
        self.version_seconds = metrics.version_seconds
        self._model = model
        self._target = target
        self._versions = metrics.versions
        names = (model, target)
        self._serving = metrics.serving.labels(*names)
        self._pending = metrics.pending.labels(*names)
        self._frozen = metrics.frozen.labels(*names)
        self._admitted = metrics.adapted.labels(*names, "admitted")
        self._not_admitted = metrics.adapted.labels(*names, "refused")
        self._alarms = metrics.alarms.labels(*names)
        self._domain = metrics.domain.labels(*names)
        self._domains = metrics.domains.labels(*names)
        self._metrics = metrics
        # Prometheus does not see the first increase of a series that was not there before.
        for status in _OUTCOMES:
            metrics.versions.labels(*names, status)

    def log_change(self, kind: EventKind, detail: dict[str, Any]) -> None:
        """Log a change of the target that was recorded.

        Args:
            kind: kind of its event.
            detail: details of its event, which become fields of the line.
        """
        message = f"target {self._target}: {_MESSAGES[kind].format(**detail)}"
        level = _LEVELS.get(kind, logging.INFO)
        fields = {"model": self._model, "target": self._target, **detail}
        log_event(logger, level, kind, message, **fields)

    def report_record(
        self, serving: int, pending: int, frozen: bool, domain: int, domains: int
    ) -> None:
        """Report the record of the target as it is now."""
        self._serving.set(serving)
        self._pending.set(pending)
        self._frozen.set(frozen)
        self._domain.set(domain)
        self._domains.set(domains)

    def show(self, measure: Callable[[str], float]) -> None:
        """Show what is measured whenever the metrics are read, until :meth:`close`.

        Args:
            measure: measures what a name of :attr:`Metrics.measured` says; NaN if too little is known.
        """
        for name, gauge in self._metrics.measured.items():
            gauge.labels(self._model, self._target).set_function(partial(measure, name))

    def close(self) -> None:
        """Measure no more; what was counted stays."""
        for gauge in self._metrics.measured.values():
            # A gauge with a function refers to itself, and would keep what the function needs for long.
            gauge.labels(self._model, self._target).set_function(_unknown)
            _remove(gauge, self._model, self._target)

    def forget(self) -> None:
        """Remove everything about the target, which was deleted."""
        self.close()
        metrics = self._metrics
        gauges = (metrics.serving, metrics.pending, metrics.frozen, metrics.domain, metrics.domains)
        for metric in (*gauges, metrics.alarms, metrics.adapted, metrics.versions):
            _remove(metric, self._model, self._target)
        metrics.predictions.remove({"model": self._model, "target": self._target})

    def count_batch(self, admitted: int, not_admitted: int, *, alarm: bool) -> None:
        """Count the images of a batch."""
        self._admitted.inc(admitted)
        self._not_admitted.inc(not_admitted)
        if alarm:
            self._alarms.inc()

    def count_version(self, status: str) -> None:
        """Count a candidate version by its outcome."""
        self._versions.labels(self._model, self._target, status).inc()


def _unknown() -> float:
    return float("nan")


def _remove(metric: Counter | Gauge, model: str, target: str) -> None:
    """Remove the series of a target, whatever their other labels are."""
    metric.remove_by_labels({"model": model, "target": target})

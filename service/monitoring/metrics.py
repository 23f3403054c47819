"""Prometheus metrics of the service."""

from functools import partial

from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    disable_created_metrics,
)

from service.monitoring.exchanges import Exchanges
from service.monitoring.labels import BoundedCounter
from service.monitoring.stages import Stages
from service.vocabulary import ERROR_PREFIX

TIMES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
DEFAULT_CLASSES = 50
# Kinds of problems that somebody should hear of.
ALARMING = ("queue-full", "deadline-passed", "overloaded", "ledger-error")

# A series with the time at which it began, for every series: twice the text, and nothing reads it.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """All metrics of one application, in a registry of its own.

    Args:
        classes: number of classes per target whose predictions are counted by themselves; those of other
            classes are counted together.
    """

    def __init__(self, classes: int = DEFAULT_CLASSES) -> None:
        self.registry = CollectorRegistry()
        for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
            self.registry.register(collector)
        self._add_service(self.registry)
        self._add_prediction(self.registry, classes)
        self._add_adaptation(self.registry)

    def count_problem(self, status: int, kind: str) -> None:
        """Count an error that is answered.

        Args:
            status: status of the answer.
            kind: URI of the kind of error.
        """
        self.failures.labels(str(status)).inc()
        self.problems.labels(kind.removeprefix(ERROR_PREFIX)).inc()

    def _add_service(self, registry: CollectorRegistry) -> None:
        self.build = Info(
            "rn_service",
            "The bundle, and the provider that is really used.",
            registry=registry,
        )
        self.models = Gauge(
            "rn_model_info",
            "1 for every model that is loaded, with its bundle and the provider that is really used.",
            ["model", "bundle", "provider"],
            registry=registry,
        )
        self.exchanges = Exchanges(registry, TIMES)
        self.connections = Gauge("rn_connections", "Open connections.", registry=registry)
        self.body_bytes = Gauge(
            "rn_body_bytes", "Bytes of request bodies that are held in memory.", registry=registry
        )
        self.failures = Counter(
            "rn_refused_requests_total",
            "HTTP errors by status.",
            ["status"],
            registry=registry,
        )
        self.problems = Counter(
            "rn_problems_total",
            "Errors that were answered, by the kind that their problem details name.",
            ["type"],
            registry=registry,
        )
        # Prometheus does not see the first increase of a series that was not there before.
        self.failures.labels("500")
        for kind in ALARMING:
            self.problems.labels(kind)

    def _add_prediction(self, registry: CollectorRegistry, classes: int) -> None:
        self.stage_seconds = Histogram(
            "rn_predict_stage_seconds",
            "Time of a prediction request in each stage.",
            ["stage"],
            buckets=TIMES,
            registry=registry,
        )
        self.stages = Stages(self.stage_seconds)
        self.batch_images = Histogram(
            "rn_predict_batch_images",
            "Images per inference batch.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128),
            registry=registry,
        )
        self.predictions = BoundedCounter(
            Counter(
                "rn_predictions_total",
                "Predicted images by label.",
                ["model", "target", "label"],
                registry=registry,
            ),
            classes,
        )
        self.queued = Gauge("rn_queue_images", "Images waiting for prediction.", registry=registry)

    def _add_adaptation(self, registry: CollectorRegistry) -> None:
        gauge = partial(Gauge, labelnames=["model", "target"], registry=registry)
        self.adapted = Counter(
            "rn_adapt_images_total",
            "Posted target images by verdict.",
            ["model", "target", "verdict"],
            registry=registry,
        )
        self.alarms = Counter(
            "rn_adapt_alarms_total",
            "Batches of which most images were foreign, or that changed the domain.",
            ["model", "target"],
            registry=registry,
        )
        self.versions = Counter(
            "rn_versions_total",
            "Candidate versions by outcome.",
            ["model", "target", "status"],
            registry=registry,
        )
        self.version_seconds = Histogram(
            "rn_commit_seconds",
            "Time to build, score and publish a version.",
            buckets=TIMES,
            registry=registry,
        )
        self.serving = gauge("rn_serving_version", "Version that is served.")
        self.pending = gauge(
            "rn_pending_images", "Admitted images that are not yet part of a version."
        )
        self.frozen = gauge("rn_frozen", "1 if adaptation is switched off.")
        self.domain = gauge("rn_domain", "Number of the domain.")
        self.domains = gauge("rn_domains", "Domains that may come back.")
        # Measured whenever the metrics are read.
        self.measured = {
            "held": gauge(
                "rn_held_images", "Last images of batches that did not move the statistics."
            ),
            "shift": gauge(
                "rn_domain_shift",
                "Mean distance of the domain's means from the exported ones, in standard deviations.",
            ),
            "recent": gauge(
                "rn_drift_standard_errors",
                "Largest difference of a feature of the last images of batches from the domain.",
            ),
            "unwritten": gauge(
                "rn_unwritten_stops",
                "Emergency stops that hold, and that the ledger does not know yet.",
            ),
            "traffic": gauge(
                "rn_traffic_drift_standard_errors",
                "Largest difference of a feature of the last predicted images from the domain.",
            ),
        }

"""Prometheus metrics of the service."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

STAGES = ("queue", "preprocess", "infer", "postprocess")
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """All metrics of one application, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.build = Info(
            "rn_service",
            "The bundle, and the provider that is really used.",
            registry=self.registry,
        )
        self._add_prediction(self.registry)
        self._add_adaptation(self.registry)

    def _add_prediction(self, registry: CollectorRegistry) -> None:
        self.stage_seconds = Histogram(
            "rn_predict_stage_seconds",
            "Time of a prediction request in each stage.",
            ["stage"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self.batch_images = Histogram(
            "rn_predict_batch_images",
            "Images per inference batch.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128),
            registry=registry,
        )
        self.predictions = Counter(
            "rn_predictions_total",
            "Predicted images by label.",
            ["target", "label"],
            registry=registry,
        )
        self.failures = Counter(
            "rn_refused_requests_total",
            "HTTP errors by status.",
            ["status"],
            registry=registry,
        )
        self.queued = Gauge("rn_queue_images", "Images waiting for prediction.", registry=registry)

    def _add_adaptation(self, registry: CollectorRegistry) -> None:
        self.adapted = Counter(
            "rn_adapt_images_total",
            "Posted target images by verdict.",
            ["target", "verdict"],
            registry=registry,
        )
        self.alarms = Counter(
            "rn_adapt_alarms_total",
            "Batches that were not admitted because most of their images were outliers.",
            ["target"],
            registry=registry,
        )
        self.versions = Counter(
            "rn_versions_total",
            "Candidate versions by outcome.",
            ["target", "status"],
            registry=registry,
        )
        self.version_seconds = Histogram(
            "rn_commit_seconds",
            "Time to build, score and publish a version.",
            buckets=_BUCKETS,
            registry=registry,
        )
        self.serving = Gauge(
            "rn_serving_version", "Version that is served.", ["target"], registry=registry
        )
        self.pending = Gauge(
            "rn_pending_images",
            "Admitted images that are not yet part of a version.",
            ["target"],
            registry=registry,
        )
        self.frozen = Gauge(
            "rn_frozen", "1 if adaptation is switched off.", ["target"], registry=registry
        )

    def render(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)

"""Traces for OpenTelemetry, if the standard variables name a collector."""

import logging
import os
import time
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from bundle.extras import install_command
from service.monitoring.requests import current_request_id

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

logger = logging.getLogger(__name__)

SERVICE_NAME = "reciprocal-norm"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
# What the framework would do by itself.
_OFF = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


class Tracing:
    """The tracer of this process; without a collector, everything here does nothing.

    Attributes:
        options: what the framework is told to trace by itself: one span per request.
    """

    def __init__(self) -> None:
        self._provider: TracerProvider | None = None
        self._tracer: Tracer | None = None

    @property
    def active(self) -> bool:
        """Whether spans are sent."""
        return self._provider is not None

    @property
    def options(self) -> dict[str, Any]:
        """The argument ``telemetry`` of the application."""
        if self._provider is None:
            return _OFF
        traced = {"tracing": True, "tracer_provider": self._provider, "operation_spans": False}
        return {**_OFF, **traced}

    def start(self) -> None:
        """Begin to send spans, if a collector is named."""
        if self._provider is not None or not _wanted():
            return
        if find_spec("opentelemetry.exporter") is None:
            logger.warning(
                "a collector of traces is set, but not used: %s", install_command("otel")
            )
            return
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        name = os.environ.get("OTEL_SERVICE_NAME", SERVICE_NAME)
        provider = TracerProvider(resource=Resource.create({"service.name": name}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._provider, self._tracer = provider, provider.get_tracer(SERVICE_NAME)

    def stop(self) -> None:
        """Send what is left."""
        if self._provider is not None:
            self._provider.shutdown()
            self._provider = self._tracer = None

    def identify(self) -> None:
        """Name the request in its span."""
        if self._tracer is not None:
            from opentelemetry.trace import get_current_span

            get_current_span().set_attribute("request.id", current_request_id() or "")

    def span(self, name: str) -> AbstractContextManager[object]:
        """A span around a block."""
        return nullcontext() if self._tracer is None else self._tracer.start_as_current_span(name)

    def record(self, **stages: float) -> None:
        """Record stages, one after another, of which the last ends now.

        Args:
            stages: seconds that each took, by name, in their order.
        """
        if self._tracer is None:
            return
        begin = time.time_ns() - int(sum(stages.values()) * 1e9)
        for name, seconds in stages.items():
            end = begin + int(seconds * 1e9)
            self._tracer.start_span(name, start_time=begin).end(end_time=end)
            begin = end


tracing = Tracing()


def _wanted() -> bool:
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    off = off or os.environ.get("OTEL_TRACES_EXPORTER", "otlp") == "none"
    return not off and any(os.environ.get(name) for name in _ENDPOINTS)

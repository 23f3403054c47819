"""Spans, as a collector receives them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.service.pictures import NPY, noise, npy
from tests.service.processes import client, started

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

TRACE = "0af7651916cd43dd8448eb211c80319c"


@contextmanager
def collector() -> Iterator[tuple[str, list[Span]]]:
    """A collector of traces: its address, and the spans that it was sent."""
    spans: list[Span] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                import gzip

                content = gzip.decompress(content)
            for resource in ExportTraceServiceRequest.FromString(content).resource_spans:
                for scope in resource.scope_spans:
                    spans.extend(scope.spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", spans
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_stages_of_a_request_are_spans_of_its_trace(bundle_path: Path, tmp_path: Path) -> None:
    with collector() as (url, spans):
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "RN_COMMIT_EVERY": "6"}
        with started(bundle_path, tmp_path, **settings) as process:
            headers = {**NPY, "traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "X-Request-Id": "a"}
            with client(process) as http:
                http.post("/predict", content=npy(noise(2)), headers=headers).raise_for_status()
                http.post("/adapt", content=npy(noise(6)), headers=headers).raise_for_status()
            process.terminate()
            assert process.exit_code() == 0
    own = [span for span in spans if span.trace_id.hex() == TRACE]
    by_name = {span.name: span for span in own}
    assert set(by_name) == {
        *("POST /predict", "queue", "decode", "infer"),
        *("POST /adapt", "adapt", "commit"),
    }
    for parent, children in {
        "POST /predict": ("queue", "decode", "infer"),
        "POST /adapt": ("adapt", "commit"),
    }.items():
        (request_id,) = [a for a in by_name[parent].attributes if a.key == "request.id"]
        assert request_id.value.string_value == "a"
        assert {by_name[child].parent_span_id for child in children} == {by_name[parent].span_id}


def test_without_a_collector_nothing_is_imported(bundle_path: Path, tmp_path: Path) -> None:
    import subprocess
    import sys

    from tests.service.processes import environment

    code = (
        "import sys; from service.app import create_app; create_app();"
        "assert not [n for n in sys.modules if n.startswith('opentelemetry.sdk')]"
    )
    given = {"RN_BUNDLE": str(bundle_path), "RN_LEDGER": f"sqlite:///{tmp_path}/l.sqlite"}
    subprocess.run([sys.executable, "-c", code], env=environment(**given), check=True)

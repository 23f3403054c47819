"""What Prometheus makes of the metrics."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.service.pictures import noise
from tests.service.running import Service

PAGE = Path(__file__).parents[3] / "docs" / "monitoring.md"
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")


def promtool(*arguments: str, text: str = "") -> None:
    """Run promtool; it must have nothing to say against its input."""
    done = subprocess.run(
        ("promtool", *arguments), input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr


@needs_promtool
def test_metrics_are_as_prometheus_wants_them(service: Service) -> None:
    service.predict(noise(1))
    service.adapt(noise(1))
    service.post("/predict", 415, content=b"x")
    promtool("check", "metrics", text=service.http.get("/metrics").text)


def test_every_metric_is_documented(service: Service) -> None:
    service.predict(noise(1))
    text = service.http.get("/metrics").text
    found = set(re.findall(r"^# TYPE (rn_\w+)", text, re.M))
    documented = set(re.findall(r"^\| `(rn_\w+)", PAGE.read_text(), re.M))
    assert found == documented


def test_scrapes_are_negotiated(service: Service) -> None:
    plain = service.http.get("/metrics", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    compressed = service.http.get("/metrics", headers={"Accept-Encoding": "gzip"})
    assert compressed.headers["content-encoding"] == "gzip"
    assert compressed.text.startswith("# HELP ")
    wanted = "application/openmetrics-text; version=1.0.0"
    answer = service.http.get("/metrics", headers={"Accept": wanted})
    assert answer.headers["content-type"].startswith(wanted)
    assert answer.text.endswith("# EOF\n")

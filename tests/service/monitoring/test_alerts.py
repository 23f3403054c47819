"""Alerts, dashboard and runbooks, with promtool and with a real Prometheus that scrapes a real service."""

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from scripts.dashboard import FILE, make_dashboard, queries
from tests.service.pictures import NPY, noise, npy
from tests.service.running import Service, serving, settings_for

ROOT = Path(__file__).parents[3]
MONITORING = ROOT / "monitoring"
UNIT_TESTS = Path(__file__).parent / "alerts_test.yml"
LONG = 60.0
needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="needs prometheus and promtool"
)


def rules() -> list[dict[str, Any]]:
    content = yaml.safe_load((MONITORING / "alerts.yml").read_text())
    return [rule for group in content["groups"] for rule in group["rules"]]


@needs_prometheus
@pytest.mark.parametrize(
    "arguments", [("check", "config", "prometheus.yml"), ("test", "rules", UNIT_TESTS.name)]
)
def test_rules_and_configuration_are_valid_and_tested(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    for file in (MONITORING / "alerts.yml", MONITORING / "prometheus.yml", UNIT_TESTS):
        shutil.copy(file, tmp_path)
    done = subprocess.run(
        ("promtool", *arguments), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_seen_to_fire_and_not_to_fire() -> None:
    names = {rule["alert"] for rule in rules()}
    calm, loud = yaml.safe_load(UNIT_TESTS.read_text())["tests"]
    assert {test["alertname"] for test in calm["alert_rule_test"]} == names
    assert not any("exp_alerts" in test for test in calm["alert_rule_test"])
    assert {test["alertname"] for test in loud["alert_rule_test"] if test["exp_alerts"]} == names


def test_every_alert_has_a_runbook() -> None:
    page = (ROOT / "docs" / "runbooks.md").read_text()
    assert re.findall(r"^## (\w+)$", page, re.M) == [rule["alert"] for rule in rules()]


def test_the_dashboard_is_what_the_script_writes() -> None:
    assert FILE.read_text() == make_dashboard(), "run python -m scripts.dashboard"
    panels = json.loads(FILE.read_text())["panels"]
    places = {
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in panels
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    }
    assert len(places) == sum(p["gridPos"]["w"] * p["gridPos"]["h"] for p in panels)
    assert max(x for x, _ in places) < 24


@contextmanager
def prometheus(url: str, folder: Path) -> Iterator[httpx.Client]:
    """A Prometheus that scrapes the service every second, with the rules that are shipped."""
    config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [url.removeprefix("http://")]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    shutil.copy(MONITORING / "alerts.yml", folder)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    process = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://{address}/api/v1", timeout=LONG) as http:
            yield http
    finally:
        process.kill()
        process.wait()


def ask(http: httpx.Client, query: str) -> list[dict[str, Any]]:
    """Series that a query gives; nothing while Prometheus is not ready."""
    try:
        answer = http.get("/query", params={"query": query})
    except httpx.TransportError:
        return []
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return []
    content = answer.json()
    assert content["status"] == "success", f"{query}: {content}"
    found: list[dict[str, Any]] = content["data"]["result"]
    return found


def use(service: Service) -> None:
    """Let the service do everything that has a metric."""
    service.post("/predict", content=npy(noise(20)), headers=NPY)
    for seed in range(3):
        service.adapt(noise(16, seed))
    service.post("/predict", 415, content=b"x")


@needs_prometheus
def test_every_query_is_answered_by_a_prometheus_that_scrapes(
    bundle_path: Path, tmp_path: Path
) -> None:
    settings = settings_for(bundle_path, tmp_path, commit_every=8, watch_predictions=1)
    with serving(settings) as service, prometheus(service.url, tmp_path) as http:
        deadline = time.monotonic() + LONG
        # Rates need two scrapes, and something between them.
        while not ask(http, 'count_over_time(up{job="reciprocal-norm"}[5m]) >= 2'):
            assert time.monotonic() < deadline
        use(service)
        while not ask(http, 'increase(rn_versions_total{status="published"}[5m]) > 0'):
            assert time.monotonic() < deadline
        empty = queries()
        while empty := [query for query in empty if not ask(http, query)]:
            assert time.monotonic() < deadline, empty
        known = set(http.get("/label/__name__/values").json()["data"])
        for rule in rules():
            ask(http, rule["expr"])
            named = set(re.findall(r"\b(rn_[a-z_]+|up)\b(?!=)", rule["expr"]))
            assert named and named <= known, rule["alert"]
            assert ask(http, f'ALERTS{{alertname="{rule["alert"]}", severity="critical"}}') == []

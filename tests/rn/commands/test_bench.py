"""``rn bench``: a service is measured, and started if it is a bundle."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.rn.calling import failure, rn
from tests.rn.load.answering import OK, always, answering


def test_a_bundle_is_served_and_measured(small_bundle: Path, tmp_path: Path) -> None:
    report, plot = tmp_path / "bench.json", tmp_path / "bench.svg"
    result = rn(
        *("bench", small_bundle, "--npy", 2, "--seconds", 0.5, "--warm-up", 0.1),
        *("--scenario", "offline", "--scenario", "open-loop", "--rate", 20, "--clients", 3),
        *("--json", report, "--plot", plot),
    )
    assert result.exit_code == 0, result.output
    found = json.loads(report.read_text())
    offline, opened = found["measurements"]
    assert (offline["scenario"], offline["clients"]) == ("offline", 3)
    assert offline["errors"] == opened["errors"] == {}
    assert offline["images_per_second"] == 2 * offline["requests_per_second"] > 0
    assert offline["server_memory_bytes"] > 10**7
    assert found["limit"]["requests_per_second"] > 0
    assert "limit of this machine for this bundle" in result.stdout
    assert "requests per second" in plot.read_text() or plot.stat().st_size > 1000


def test_a_running_service_is_measured(tmp_path: Path) -> None:
    report = tmp_path / "bench.json"
    with answering(always(OK)) as server:
        url = f"http://127.0.0.1:{server.address.port}"
        result = rn(
            *("bench", url, "--seconds", 0.3, "--warm-up", 0, "--bound", 1000),
            *("--target", "camera 1", "--key", "secret", "--json", report),
        )
    assert result.exit_code == 0, result.output
    assert server.heads[0].startswith(b"POST /targets/camera%201/predict HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer secret\r\n" in server.heads[0]
    found = json.loads(report.read_text())
    scenarios = [measured["scenario"] for measured in found["measurements"]]
    assert scenarios[:3] == ["single stream", "offline", "server"]
    assert found["bound_ms"] == 1000
    assert found["limit"] is None
    assert "--bundle" in result.stdout


def test_ctrl_c_prints_what_was_measured_so_far() -> None:
    async def answer(number: int) -> bytes:
        if number == 10:
            os.kill(os.getpid(), signal.SIGINT)
        return OK

    with answering(answer) as server:
        result = rn("bench", f"http://127.0.0.1:{server.address.port}", "--seconds", 3600)
    assert result.exit_code == 130
    assert "single stream (stopped)" in result.stdout
    assert "offline" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nowhere", "--npy", "1"], "nowhere is not a bundle: there is no such directory"),
        (["ftp://here", "--scenario", "offline"], "ftp://here is not a URL"),
        (["http://here:port"], "http://here:port is not a URL"),
        (["http://here", "--npy", "1"], "name the bundle that the URL serves with --bundle"),
        (["http://here", "--scenario", "open-loop"], "--rate"),
        (["http://here", "--rate", "5", "--scenario", "offline"], "--rate"),
        (["http://here", "--image", "missing.jpg"], "missing.jpg cannot be read"),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_line(arguments: list[str], line: str) -> None:
    assert line in failure("bench", *arguments)

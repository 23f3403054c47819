import socket
from pathlib import Path

import pytest

from tests.rn.calling import rn
from tests.service.running import Service, serving, settings_for


def test_a_ready_service_says_what_it_runs(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    result = rn("health", "--url", service.url)
    assert (result.exit_code, result.stdout) == (
        0,
        "ready: small, version 0, CPUExecutionProvider\n",
    )
    port = service.url.rpartition(":")[2]
    for host in ("0.0.0.0", "127.0.0.1"):
        assert rn("health", RN_HOST=host, RN_PORT=port).exit_code == 0
    service.resources.draining = True
    refused = rn("health", "--url", service.url)
    assert refused.exit_code == 1
    assert refused.stderr.endswith("is not ready: the service is shutting down\n")


def test_with_keys_it_is_ready_too(bundle_path: Path, tmp_path: Path) -> None:
    """Who asks without a key is told no more than that."""
    with serving(settings_for(bundle_path, tmp_path, predict_key="k" * 32)) as service:
        result = rn("health", "--url", service.url)
    assert (result.exit_code, result.stdout) == (0, "ready\n")


def test_under_a_path_of_a_proxy(bundle_path: Path, tmp_path: Path) -> None:
    settings = settings_for(bundle_path, tmp_path, root_path="/rn")
    with serving(settings) as service:
        port = service.url.rpartition(":")[2]
        assert rn("health", RN_PORT=port, RN_ROOT_PATH="/rn").exit_code == 0


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    result = rn("health", RN_PORT=str(port))
    assert result.exit_code == 1
    assert result.stderr == (
        f"rn health: http://127.0.0.1:{port} does not answer: [Errno 111] Connection refused\n"
    )

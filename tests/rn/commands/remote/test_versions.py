import socket
from pathlib import Path

import pytest

from tests.rn.commands.remote.running import rn
from tests.service.running import Service


def test_versions_and_rollback(service: Service, folder: Path) -> None:
    rn("submit", folder, service=service)
    text = rn("versions", service=service).stdout
    assert "exported" in text and "published" in text and "served" in text
    assert "0 images pending" in text
    assert rn("rollback", service=service).stdout == "version 0 is served\n"
    assert rn("rollback", 1, service=service).stdout == "version 1 is served\n"
    assert "has no version 9" in rn("rollback", 9, service=service, status=1).stderr
    line = rn("versions", "--target", "other", service=service, status=1).stderr
    assert "no target 'other'" in line


@pytest.mark.parametrize("command", ["versions", "rollback"])
def test_nobody_there(command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    assert f"cannot reach {url}" in rn(command, "--url", url, status=1).stderr

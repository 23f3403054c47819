import socket
from pathlib import Path

import pytest

from tests.rn.commands.remote.running import rn
from tests.service.running import Service


def test_an_operators_day(service: Service, folder: Path) -> None:
    """Every move is made, said, and recorded with its reason."""
    rn("submit", folder, service=service)
    assert "auto: good versions are published" in rn("mode", service=service).stdout
    shadow = rn("mode", "shadow", "--reason", "holidays", service=service).stdout
    assert shadow == "shadow: good versions are proposed, and a person promotes them\n"
    frozen = rn("freeze", "--reason", "inspection", service=service).stdout
    assert frozen.startswith("adaptation is switched off; version ")
    assert rn("mode", service=service).stdout.endswith("; adaptation is frozen\n")
    assert "switched on, mode shadow" in rn("unfreeze", service=service).stdout
    assert rn("reset", service=service).stdout == "version 0 is served, as it was exported\n"
    moved = rn("promote", 1, "--reason", "looked at it", service=service).stdout
    assert moved == "version 1 is served\n"
    rn("rollback", "--reason", "not so good", service=service)
    events = service.http.get("/events?limit=50").json()["events"]
    reasons = [event["reason"] for event in events if event["reason"]]
    assert reasons == ["holidays", "inspection", "looked at it", "not so good"]


def test_bad_moves_are_refused_in_one_line(service: Service) -> None:
    line = rn("mode", "always", service=service, status=1).stderr
    assert line == "rn mode: always is no mode; there are off, shadow, auto\n"
    assert "has no version 7" in rn("promote", 7, service=service, status=1).stderr
    both = rn("targets", "--add", "x", "--delete", "y", service=service, status=1).stderr
    assert both == "rn targets: --add and --delete exclude each other\n"
    named = rn("domains", "--name", 5, "night", service=service, status=1).stderr
    assert "no domain 5" in named
    assert (
        "others can be forgotten" in rn("domains", "--forget", 0, service=service, status=1).stderr
    )


def test_targets_are_made_listed_and_deleted(service: Service) -> None:
    assert rn("targets", service=service).stdout.split()[-2:] == ["default", "yes"]
    made = rn("targets", "--add", "camera-7", service=service).stdout
    assert "camera-7" in made
    assert "already" in rn("targets", "--add", "camera-7", service=service, status=1).stderr
    assert "camera-7" not in rn("targets", "--delete", "camera-7", service=service).stdout
    assert "default" in rn("targets", "--json", service=service).stdout


def test_domains_are_named_and_drift_is_said(service: Service, folder: Path) -> None:
    rn("submit", folder, service=service)
    listed = rn("domains", service=service).stdout
    assert "as exported" in listed and "now" in listed
    named = rn("domains", "--name", 0, "day", service=service).stdout
    assert "day" in named and "pinned" in named
    said = rn("drift", service=service).stdout
    assert "domain 0, 20 last images, 0 held: " in said
    assert '"sites"' in rn("drift", "--json", service=service).stdout


@pytest.mark.parametrize("command", ["freeze", "unfreeze", "reset", "mode", "targets", "domains"])
def test_nobody_there(command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    assert f"cannot reach {url}" in rn(command, "--url", url, status=1).stderr

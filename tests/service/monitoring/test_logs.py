"""Lines of the log, as a process of its own writes them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from service.monitoring.requests import RequestContext, current_request
from tests.service.pictures import NPY, flat, noise, npy
from tests.service.processes import Process, client, started
from tests.service.running import Service

ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def lines(process: Process) -> list[dict[str, Any]]:
    """All lines but the one with the address, after the end of the process."""
    return [json.loads(line) for line in process.stderr if not line.startswith("serving ")]


def by_event(process: Process) -> dict[str, dict[str, Any]]:
    """The last line of every kind of event."""
    return {line["event"]: line for line in lines(process) if "event" in line}


def test_every_event_is_a_line_of_json(bundle_path: Path, tmp_path: Path) -> None:
    settings = {
        "RN_COMMIT_EVERY": "6",
        "RN_PUBLICATION_MARGIN": "1",
        "RN_PUBLICATION_MAX_SHIFT": "100",
        "RN_ACCESS_LOG": "true",
    }
    with started(bundle_path, tmp_path, **settings) as process:
        with client(process) as http:
            named = {**NPY, "X-Request-Id": "mine"}
            http.post("/adapt", content=npy(noise(6)), headers=named).raise_for_status()
            http.post("/adapt", content=npy(flat(3)), headers=NPY).raise_for_status()
            for path in ("/rollback", "/freeze", "/unfreeze", "/reset"):
                http.post(path).raise_for_status()
            http.post("/versions/1/promote").raise_for_status()
        process.terminate()
        assert process.exit_code() == 0
    found = by_event(process)
    assert {"model_loaded", "ready", "request", "published", "alarm", "rolled_back"} <= set(found)
    assert {"frozen", "unfrozen", "reset", "promoted", "shutdown", "model_unloaded"} <= set(found)
    published = found["published"]
    assert ISO_TIME.fullmatch(published["time"])
    assert published["level"] == "info" and published["logger"].startswith("service.")
    assert published["message"] == "target default: version 1 published"
    assert (published["model"], published["target"], published["version"]) == (
        "small",
        "default",
        1,
    )
    # It happened in another thread than the one that read the request.
    assert published["request_id"] == "mine"
    assert found["alarm"]["level"] == "warning"
    assert (found["request"]["method"], found["request"]["status"]) == ("POST", 200)


def test_text_for_people(bundle_path: Path, tmp_path: Path) -> None:
    with started(bundle_path, tmp_path, RN_LOG_FORMAT="text", RN_LOG_LEVEL="info") as process:
        process.wait_for("ready for requests")
        process.terminate()
        assert process.exit_code() == 0
    (line,) = [line for line in process.stderr if "ready for requests" in line]
    assert ISO_TIME.match(line)
    assert line.endswith(" INFO service.app: ready for requests [event=ready]\n")


def test_levels(bundle_path: Path, tmp_path: Path) -> None:
    with started(bundle_path, tmp_path, RN_LOG_LEVEL="error") as process:
        with client(process) as http:
            assert http.get("/health/ready").status_code == 200
        process.terminate()
        assert process.exit_code() == 0
    assert lines(process) == []


def test_an_exception_is_one_field(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import logging

    from service.monitoring.logs import configure_logging

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    token = current_request.set(RequestContext("mine", client="robot"))
    try:
        configure_logging("json", "info")
        try:
            raise ValueError("two\nlines")
        except ValueError:
            logging.getLogger("service.x").exception("it failed")
        (line,) = capsys.readouterr().err.splitlines()
    finally:
        current_request.reset(token)
        root.handlers[:], root.level = handlers, level
        logging.captureWarnings(False)
    found = json.loads(line)
    assert found["message"] == "it failed" and "ValueError: two\nlines" in found["exception"]
    assert (found["request_id"], found["client"]) == ("mine", "robot")

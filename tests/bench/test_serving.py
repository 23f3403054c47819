"""The comparison of servers: requests, answers, tables, and what is measured of an overload."""

import json
import struct
from typing import Any

import numpy as np
import pytest

from bench.overload import recovery_seconds
from bench.serving.running import NotRunning, check_agreement
from bench.serving.setup import peers
from bench.serving.systems import SYSTEMS
from bench.serving.tables import render
from rn.load.measurement import Measurement
from rn.load.sending.request import Payload

IMAGE = Payload(b"content", "image/jpeg")


def test_every_peer_has_requirements_and_every_requirement_a_peer() -> None:
    assert {system.peer for system in SYSTEMS.values() if system.peer} == set(peers())


def test_a_binary_tensor_is_framed() -> None:
    sent = SYSTEMS["triton"].payload(IMAGE)
    length = int(sent.headers["Inference-Header-Content-Length"])
    head, content = json.loads(sent.body[:length]), sent.body[length:]
    assert head["inputs"][0]["parameters"]["binary_data_size"] == len(content)
    assert content == struct.pack("<I", 7) + b"content"


@pytest.mark.parametrize(
    ("system", "body"),
    [
        (
            "ours",
            {"predictions": [{"probabilities": {"class 3": 0.7, "class 1": 0.2}}]},
        ),
        ("fastapi", {"classes": [3, 1], "probabilities": [0.7, 0.2]}),
        (
            "triton",
            {
                "outputs": [
                    {"name": "classes", "data": [3, 1]},
                    {"name": "probabilities", "data": [0.7, 0.2]},
                ]
            },
        ),
    ],
)
def test_answers_of_all_kinds_are_read_alike(system: str, body: dict[str, Any]) -> None:
    assert SYSTEMS[system].parse(json.dumps(body).encode()) == {3: 0.7, 1: 0.2}


@pytest.mark.parametrize("other", [{3: 0.7, 1: 0.2002}, {3: 0.2, 1: 0.7}, {5: 0.7}])
def test_servers_that_disagree_are_not_measured(other: dict[int, float]) -> None:
    check_agreement({3: 0.70001, 1: 0.2}, {3: 0.7, 1: 0.2})
    with pytest.raises(NotRunning):
        check_agreement(other, {3: 0.7, 1: 0.2})


def row(number: int, system: str, rate: float) -> dict[str, Any]:
    load = {
        "requests_per_second": rate,
        "latency_ms": {"p50": 1.0, "p99": 9.0},
        "errors": {},
        "generator_processors": 0.2,
        "server_memory_bytes": 5 * 10**7,
    }
    names = ("1 clients", "16 clients", "70% load", "90% load")
    loads = dict.fromkeys(names, load)
    return {"round": number, "workload": "net jpeg", "system": system, "loads": loads}


def test_ratios_are_of_the_same_round() -> None:
    results = {
        "failed": {"other": "not installed: no such version"},
        "ceilings": [
            {"round": n, "workload": "net jpeg", "requests_per_second": rate, "processors": 2}
            for n, rate in enumerate((100.0, 50.0))
        ],
        "rows": [row(0, "ours", 80), row(1, "ours", 45), row(0, "peer", 40), row(1, "peer", 40)],
    }
    lines = render(results).splitlines()
    ours, peer = (line for line in lines if line.startswith(("| ours", "| peer")))
    assert "| 0.85 (0.80 to 0.90) | 0.94 (0.89 to 1.00) | 1.00 (1.00 to 1.00) |" in ours
    assert "| 0.60 (0.40 to 0.80) |" in peer
    assert "- other: not installed: no such version" in lines


def test_recovery_is_when_requests_are_within_the_bound_again() -> None:
    due = np.arange(0.0, 20.0, 0.01)
    latencies = np.where((due < 10) | (due > 11.5), 0.01, 3.0)
    statuses = np.full(len(due), 200, np.int16)
    found = Measurement("test", 20.0, 1, latencies, statuses, due=due)
    assert recovery_seconds(found, 10.0, 0.02) == pytest.approx(1.5, abs=0.15)
    statuses[due > 15] = 503
    found = Measurement("test", 20.0, 1, latencies, statuses, due=due)
    assert recovery_seconds(found, 10.0, 0.02) == pytest.approx(10.0, abs=0.15)

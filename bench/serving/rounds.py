"""Interleaved rounds: every system serves every network under every load, in an order that rotates.

One system is alive at a time; it is started for each network and round, and ended afterwards, so that idle
peers take neither memory nor processors. The limit of the machine is measured once per network and round.
"""

import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.serving.models import prepare_model
from bench.serving.running import NotRunning, Running, check_agreement, running
from bench.serving.service import free_port
from bench.serving.setup import install
from bench.serving.systems import SYSTEMS, Place, System, Top
from bundle.writing.atomic import write_file
from rn.load.ceiling import measure_ceiling
from rn.load.measurement import Measurement
from rn.load.payload import jpeg_payloads, npy_payloads
from rn.load.sending.arrivals import poisson_arrivals
from rn.load.sending.closed_loop import ClosedLoop
from rn.load.sending.load import Load, run_load
from rn.load.sending.open_loop import OpenLoop
from rn.load.sending.request import Payload

CLIENTS = (1, 4, 16, 64)
SHARES = (0.5, 0.7, 0.9)
WARM_UP = 2.0
CEILING_SECONDS = 4.0
# What starting, checking and ending a system takes about, for the estimate of the whole time.
START_SECONDS = 15.0
MIN_SECONDS, MAX_SECONDS = 2.0, 10.0


@dataclass(frozen=True)
class Workload:
    """A network and what is sent to it.

    Attributes:
        network: one of ``bench.serving.models.NETWORKS``.
        payload: ``"jpeg"`` or ``"npy"``.
    """

    network: str
    payload: str

    @property
    def name(self) -> str:
        """Name in tables and files."""
        return f"{self.network} {self.payload}"


def workloads(networks: Sequence[str]) -> list[Workload]:
    """JPEG files for every network, and arrays for the trivial one."""
    arrays = [Workload(network, "npy") for network in networks if network == "trivial"]
    return [Workload(network, "jpeg") for network in networks] + arrays


@dataclass
class Bench:
    """All rounds, and the file that keeps what they found.

    Attributes:
        work: folder of environments and networks.
        out: JSON file of results; what it holds already is not measured again.
        systems: names of systems.
        workloads: what they serve.
        rounds: number of rounds.
        minutes: time for everything; None for windows of the longest length.
        results: what was found: ``failed``, ``ceilings`` and ``rows``.
    """

    work: Path
    out: Path
    systems: Sequence[str]
    workloads: Sequence[Workload]
    rounds: int
    minutes: float | None = None
    results: dict[str, Any] = field(
        default_factory=lambda: {"failed": {}, "ceilings": [], "rows": []}
    )

    def run(self) -> None:
        """Measure everything that is missing, while there is time."""
        if self.out.exists():
            # What failed is tried again.
            self.results = {**json.loads(self.out.read_text()), "failed": {}}
        deadline = None if self.minutes is None else time.monotonic() + 60 * self.minutes
        self._install()
        for workload in self.workloads:
            prepare_model(workload.network, self.work / "models")
        for number in range(self.rounds):
            for place, workload in enumerate(self.workloads):
                for name in self._order(number + place):
                    if self._is_done(number, workload, name):
                        continue
                    if deadline is not None and time.monotonic() > deadline:
                        print("the time is over; run the same command again for the rest")
                        return
                    self._cell(number, workload, SYSTEMS[name], self._seconds(deadline))

    def _install(self) -> None:
        for name in self.systems:
            peer = SYSTEMS[name].peer
            reason = None if peer is None else install(self.work, peer)
            if reason is not None:
                self._fail(name, f"not installed: {reason}")

    def _order(self, turn: int) -> list[str]:
        names = [name for name in self.systems if name not in self.results["failed"]]
        turn %= max(1, len(names))
        return names[turn:] + names[:turn]

    def _is_done(self, number: int, workload: Workload, name: str) -> bool:
        if _described(name, workload) in self.results["failed"]:
            return True
        key = (number, workload.name, name)
        rows = self.results["rows"]
        return any((row["round"], row["workload"], row["system"]) == key for row in rows)

    def _seconds(self, deadline: float | None) -> float:
        """Length of a window, so that all that is missing fits into the time that is left."""
        if deadline is None:
            return MAX_SECONDS
        names = [name for name in self.systems if name not in self.results["failed"]]
        missing = sum(
            not self._is_done(number, workload, name)
            for number in range(self.rounds)
            for workload in self.workloads
            for name in names
        )
        loads = len(CLIENTS) + len(SHARES)
        share = (deadline - time.monotonic()) / max(1, missing)
        seconds = (share - START_SECONDS) / loads - WARM_UP
        return min(max(seconds, MIN_SECONDS), MAX_SECONDS)

    def _cell(self, number: int, workload: Workload, system: System, seconds: float) -> None:
        """One system with one workload in one round."""
        model = self.work / "models" / workload.network
        payloads = _payloads(workload, model)
        self._ceiling(number, workload, model, payloads)
        workers = len(os.sched_getaffinity(0))
        with tempfile.TemporaryDirectory() as folder:
            place = Place(model, self.work, Path(folder), free_port(), workers)
            try:
                with running(system, place, payloads[0]) as started:
                    check_agreement(
                        started.predict(payloads[0]), self._expected(workload, model, payloads[0])
                    )
                    measured = _measure(started, payloads, seconds, seed=number)
            except NotRunning as error:
                self._fail(_described(system.name, workload), str(error))
                return
        row = {
            "round": number,
            "workload": workload.name,
            "system": system.name,
            "start_seconds": started.start_seconds,
            "loads": measured,
        }
        self.results["rows"].append(row)
        self._save()
        best = max(load["requests_per_second"] for load in measured.values())
        print(f"round {number}, {workload.name}, {system.name}: {best:.1f}/s", flush=True)

    def _ceiling(
        self, number: int, workload: Workload, model: Path, payloads: Sequence[Payload]
    ) -> None:
        ceilings = self.results["ceilings"]
        if any((c["round"], c["workload"]) == (number, workload.name) for c in ceilings):
            return
        found = measure_ceiling(model / "bundle", payloads, CEILING_SECONDS)
        rate = found.requests_per_second
        ceilings.append(
            {
                "round": number,
                "workload": workload.name,
                "requests_per_second": rate,
                "processors": found.threads,
            }
        )
        self._save()

    def _expected(self, workload: Workload, model: Path, payload: Payload) -> Top:
        """What the bundle itself predicts."""
        from bench.serving.expected import predict

        return predict(model / "bundle", payload)

    def _fail(self, name: str, reason: str) -> None:
        self.results["failed"][name] = reason
        print(f"{name}: {reason}", flush=True)
        self._save()

    def _save(self) -> None:
        write_file(self.out, json.dumps(self.results, indent=1).encode())


def _described(system: str, workload: Workload) -> str:
    return f"{system} ({workload.name})"


def _payloads(workload: Workload, model: Path) -> list[Payload]:
    if workload.payload == "jpeg":
        return jpeg_payloads()
    contract = json.loads((model / "contract.json").read_text())
    return npy_payloads((contract["height"], contract["width"], 3))


def _measure(
    started: Running, payloads: Sequence[Payload], seconds: float, seed: int
) -> dict[str, dict[str, Any]]:
    """Closed loops, then open loops at shares of the largest rate that those reached."""
    load = started.load(payloads)
    found: dict[str, Measurement] = {}
    for clients in CLIENTS:
        found[f"{clients} clients"] = run_load(load, ClosedLoop(clients, seconds, WARM_UP))
    saturation = max(measured.requests_per_second for measured in found.values())
    for share in SHARES:
        found[f"{share:.0%} load"] = _open(load, share * saturation, seconds, seed)
    return {name: measured.to_json() for name, measured in found.items()}


def _open(load: Load, rate: float, seconds: float, seed: int) -> Measurement:
    length = seconds + WARM_UP
    arrivals = poisson_arrivals(rate, length, seed).tolist()
    return run_load(load, OpenLoop(arrivals, length, WARM_UP))

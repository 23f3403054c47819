"""Swaps of the served version, and the end of the service, under load: ``python -m bench.swaps BUNDLE``.

Clients predict without pause. Meanwhile versions are promoted back and forth a hundred times, the model is
loaded again ten times, and at last the service gets SIGTERM; as a load balancer does, the clients stop once
readiness says that the service is about to end. The aims: no failed request, and flat memory.
"""

import argparse
import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from rn.load.local_service import local_service
from rn.load.measurement import Measurement
from rn.load.payload import jpeg_payloads
from rn.load.process_usage import ProcessTree
from rn.load.sending.closed_loop import ClosedLoop
from rn.load.sending.load import Load, Run, make_load, run_load
from rn.load.sending.request import parse_url
from service.client import Client, ClientError

CLIENTS = 4
BATCHES = 8
MAX_GROWTH = 1.1


def beside(load: Load, work: Callable[[], None]) -> tuple[Measurement, list[Exception]]:
    """Load for as long as some work takes, and what the work failed with."""
    errors: list[Exception] = []

    async def loop(run: Run) -> Measurement:
        running = asyncio.get_running_loop()

        def call() -> None:
            try:
                work()
            except Exception as error:
                errors.append(error)
            running.call_soon_threadsafe(run.stop.set)

        threading.Thread(target=call, daemon=True).start()
        return await ClosedLoop(CLIENTS, 3600.0)(run)

    return run_load(load, loop), errors


def make_versions(client: Client) -> list[int]:
    """Numbers of versions that can be served; some are made from random images if there is only one."""
    generator = np.random.default_rng(0)
    for _ in range(BATCHES):
        seed = int(generator.integers(2**31))
        client.adapt([payload.body for payload in jpeg_payloads(32, seed)])
    return [version.number for version in client.versions().versions if version.kept]


def promote(client: Client, versions: list[int], swaps: int) -> None:
    """Serve each version in turn."""
    for number in range(swaps):
        client.promote(versions[number % len(versions)])


def reload(url: str, count: int) -> None:
    """Load every model again."""
    found = httpx.get(f"{url}/models", timeout=60.0).raise_for_status().json()["models"]
    for _ in range(count):
        for model in found:
            httpx.post(f"{url}/models/{model['name']}/load", timeout=120.0).raise_for_status()


def terminate(url: str, pid: int) -> None:
    """Ask the service to end, and return once its readiness says so."""
    time.sleep(2.0)
    os.kill(pid, signal.SIGTERM)
    while True:
        try:
            if not httpx.get(f"{url}/health/ready", timeout=5.0).is_success:
                return
        except httpx.TransportError:
            return
        time.sleep(0.02)


def main() -> None:
    """Print a row for each kind of change."""
    parser = argparse.ArgumentParser(description="Swaps and the end of the service, under load.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--swaps", type=int, default=100)
    parser.add_argument("--reloads", type=int, default=10)
    parser.add_argument("--json", type=Path, help="JSON file for what was found")
    given = parser.parse_args()
    rows: dict[str, Any] = {}
    with local_service(given.bundle) as (url, pid), Client(url) as client:
        tree = ProcessTree(pid)
        load = make_load(parse_url(url), "/predict", jpeg_payloads(), tree)
        try:
            versions = make_versions(client)
        except ClientError as error:
            print(f"no versions could be made: {error}")
            versions = [0]
        # Both versions are in memory before it is compared.
        promote(client, versions, len(versions))
        works: dict[str, Callable[[], None]] = {
            f"{given.swaps} promotions of {len(versions)} versions": lambda: promote(
                client, versions, given.swaps
            ),
            f"{given.reloads} loads": lambda: reload(url, given.reloads),
            "SIGTERM": lambda: terminate(url, pid),
        }
        for name, work in works.items():
            before = tree.memory() or 0
            found, errors = beside(load, work)
            after = tree.memory() or 0
            growth = after / before if before and after else None
            kept = not found.errors() and not errors and (growth or 0) <= MAX_GROWTH
            rows[name] = {
                **found.to_json(),
                "work_errors": [str(error) for error in errors],
                "memory_growth": growth,
                "pass": kept,
            }
            print(
                f"{name:<36}{len(found.statuses):>6} requests in {found.seconds:.1f} s,"
                f" p99 {1e3 * found.percentile(99):.0f} ms, failed {found.errors() or 0},"
                f" memory {before / 1e6:.0f} -> {after / 1e6:.0f} MB {errors or ''}"
                f" {'pass' if kept else 'FAIL'}",
                flush=True,
            )
    if given.json is not None:
        given.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()

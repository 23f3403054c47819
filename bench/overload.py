"""Three times overload, open loop: ``python -m bench.overload BUNDLE``.

The service is saturated by clients that wait for their answers, which gives its capacity. Then requests
arrive at three times that rate for a minute, whether or not they are answered, and at a third of it
afterwards. The aims: goodput at least 0.9 of the capacity, refusals within 50 ms, flat memory, and the
latency of quiet times back within 2 s.
"""

import argparse
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from rn.load.local_service import local_service
from rn.load.measurement import Measurement
from rn.load.payload import jpeg_payloads
from rn.load.process_usage import ProcessTree
from rn.load.sending.arrivals import poisson_arrivals
from rn.load.sending.closed_loop import ClosedLoop
from rn.load.sending.load import Load, make_load, run_load
from rn.load.sending.open_loop import OpenLoop
from rn.load.sending.request import parse_url

OVERLOAD, QUIET = 3.0, 0.33
CLIENTS = 16
CONNECTIONS = 1000
CALM_SECONDS = 10.0
# Aims.
MIN_GOODPUT, MAX_REFUSAL, MAX_GROWTH, MAX_RECOVERY = 0.9, 0.050, 1.1, 2.0
# The latency of quiet times is back when requests are within this many times its 99th percentile.
BACK = 2.0


@contextmanager
def memory_over_time(tree: ProcessTree, every: float = 1.0) -> Iterator[list[int]]:
    """Memory in bytes, read again and again until the block ends."""
    found: list[int] = []
    over = threading.Event()

    def read() -> None:
        while not over.wait(every):
            found.append(tree.memory() or 0)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def quiet_loop(load: Load, rate: float, seconds: float = CALM_SECONDS) -> Measurement:
    """Poisson arrivals at a rate that the service carries easily."""
    arrivals = poisson_arrivals(rate, seconds, seed=1).tolist()
    return run_load(load, OpenLoop(arrivals, seconds, 1.0))


def overload(load: Load, capacity: float, seconds: float) -> Measurement:
    """Overload for so many seconds, then a quiet rate."""
    first = poisson_arrivals(OVERLOAD * capacity, seconds, seed=2)
    then = seconds + poisson_arrivals(QUIET * capacity, CALM_SECONDS, seed=3)
    arrivals = np.concatenate([first, then]).tolist()
    loop = OpenLoop(arrivals, seconds + CALM_SECONDS, max_connections=CONNECTIONS)
    return run_load(load, loop)


def recovery_seconds(found: Measurement, end: float, bound: float) -> float:
    """Seconds after the overload from which on nearly all requests succeed within a bound.

    Args:
        found: the measurement.
        end: end of the overload, in seconds from the beginning.
        bound: latency in seconds.
    """
    after = found.due >= end
    due = found.due[after] - end
    late = ~(found.succeeded[after] & (found.latencies[after] <= bound))
    # One in a hundred may be late at any time.
    order = np.argsort(-due[late])
    allowed = int(0.01 * len(due))
    left = due[late][order][allowed:]
    return float(left[0]) if len(left) else 0.0


def main() -> None:
    """Measure, print each aim, and write the JSON file."""
    parser = argparse.ArgumentParser(description="Three times overload for a minute.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", type=Path, help="JSON file for what was found")
    given = parser.parse_args()
    with local_service(given.bundle) as (url, pid):
        tree = ProcessTree(pid)
        load = make_load(parse_url(url), "/predict", jpeg_payloads(), tree)
        capacity = run_load(load, ClosedLoop(CLIENTS, 10.0, 2.0)).requests_per_second
        quiet = quiet_loop(load, QUIET * capacity).percentile(99)
        with memory_over_time(tree) as memory:
            found = overload(load, capacity, given.seconds)
    during = found.due < given.seconds
    goodput = float((found.succeeded & during).sum()) / given.seconds
    refused = found.latencies[np.isin(found.statuses, (429, 503)) & during]
    slowest = float(np.percentile(refused, 99)) if len(refused) else float("nan")
    third = max(1, int(given.seconds) // 3)
    growth = max(memory[2 * third :], default=0) / max(max(memory[1:third], default=1), 1)
    recovery = recovery_seconds(found, given.seconds, BACK * quiet)
    accepted = found.latencies[found.succeeded & during]
    rows = [
        ("goodput / capacity", goodput / capacity, goodput / capacity >= MIN_GOODPUT),
        ("refusals, p99 in ms", 1e3 * slowest, slowest <= MAX_REFUSAL),
        ("memory, last third / first", growth, growth <= MAX_GROWTH),
        ("recovery in s", recovery, recovery <= MAX_RECOVERY),
    ]
    print(f"capacity {capacity:.1f} requests/s, quiet p99 {1e3 * quiet:.1f} ms")
    if len(accepted):
        print(f"accepted requests: p99 {1e3 * np.percentile(accepted, 99):.0f} ms")
    print(f"other errors: {found.errors()}; sent late by {1e3 * found.lateness:.1f} ms (p99)")
    for name, value, kept in rows:
        print(f"{name:<28}{value:>9.2f}  {'pass' if kept else 'FAIL'}")
    if given.json is not None:
        report = {name: {"value": value, "pass": bool(kept)} for name, value, kept in rows}
        report_all = {"capacity": capacity, "quiet_p99_ms": 1e3 * quiet, "aims": report}
        given.json.write_text(json.dumps({**report_all, "memory": memory}, indent=1))


if __name__ == "__main__":
    main()

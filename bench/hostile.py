"""What hostile clients cost the others: ``python -m bench.hostile BUNDLE``.

A few well-behaved clients predict at a steady rate, first alone and then beside each attack of
``bench.hostile_clients``, which runs in a process of its own. The aim: their 99th percentile at most
doubles, and none of their requests fails.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.hostile_clients import ATTACKS
from bench.overload import quiet_loop
from rn.load.local_service import local_service
from rn.load.payload import jpeg_payloads
from rn.load.process_usage import ProcessTree
from rn.load.sending.closed_loop import ClosedLoop
from rn.load.sending.load import Load, make_load, run_load
from rn.load.sending.request import parse_url

# Of what the service carries; the attackers and the load share the processors with it.
SHARE = 0.2
ALLOWED = 2.0


def beside(name: str, url: str, load: Load, rate: float, seconds: float) -> dict[str, Any]:
    """The steady load beside one attack."""
    attacker = subprocess.Popen([sys.executable, "-m", "bench.hostile_clients", name, url])
    try:
        found = quiet_loop(load, rate, seconds)
    finally:
        attacker.kill()
        attacker.wait()
    return found.to_json()


def main() -> None:
    """Print a row per attack."""
    parser = argparse.ArgumentParser(description="What hostile clients cost the others.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--seconds", type=float, default=30.0, help="length of each attack")
    parser.add_argument("--attacks", default=",".join(ATTACKS), help="names, with commas between")
    parser.add_argument("--json", type=Path, help="JSON file for what was found")
    given = parser.parse_args()
    rows: dict[str, Any] = {}
    with local_service(given.bundle) as (url, pid):
        load = make_load(parse_url(url), "/predict", jpeg_payloads(), ProcessTree(pid))
        rate = SHARE * run_load(load, ClosedLoop(4, 5.0, 2.0)).requests_per_second
        rows["quiet"] = quiet_loop(load, rate, given.seconds).to_json()
        alone = rows["quiet"]["latency_ms"]["p99"]
        print(f"{'attack':<24}{'p99 ms':>9}{'ratio':>7}{'MB':>7}  errors")
        for name in ("quiet", *given.attacks.split(",")):
            if name not in rows:
                rows[name] = beside(name, url, load, rate, given.seconds)
            row = rows[name]
            p99 = row["latency_ms"]["p99"] or float("inf")
            kept = p99 <= ALLOWED * alone and not row["errors"]
            memory = (row["server_memory_bytes"] or 0) / 1e6
            row["pass"] = kept
            print(
                f"{name:<24}{p99:>9.1f}{p99 / alone:>7.2f}{memory:>7.0f}  {row['errors'] or ''}"
                f" {'pass' if kept else 'FAIL'}",
                flush=True,
            )
    if given.json is not None:
        given.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()

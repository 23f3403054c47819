"""Measures the service beside other servers of the same network: ``python -m bench.serving``."""

import argparse
import json
from pathlib import Path

from bench.serving.models import NETWORKS
from bench.serving.rounds import Bench, workloads
from bench.serving.setup import WORK
from bench.serving.systems import SYSTEMS
from bench.serving.tables import render


def main() -> None:
    """Measure what is missing, and print the tables."""
    parser = argparse.ArgumentParser(
        description="Compare servers of the same network. What the JSON file holds is not measured again."
    )
    parser.add_argument("--systems", default=",".join(SYSTEMS), help="names, with commas between")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="names, with commas between")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=float, help="fit the measurements into this time")
    parser.add_argument(
        "--work", type=Path, default=WORK, help="folder of environments and networks"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("serving.json"), help="JSON file of results"
    )
    parser.add_argument("--render", action="store_true", help="print the tables of --out, and end")
    given = parser.parse_args()
    if not given.render:
        Bench(
            given.work,
            given.out,
            given.systems.split(","),
            workloads(given.networks.split(",")),
            given.rounds,
            given.minutes,
        ).run()
    print(render(json.loads(given.out.read_text())))


if __name__ == "__main__":
    main()

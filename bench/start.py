"""Measures how soon a service is ready, and in how much memory: ``python -m bench.start BUNDLE ...``.

For each bundle, ``rn serve`` is started several times. Prints the time until it is ready as a ratio to the
time that its imports alone take, measured in turns, and the memory of the quiet service: the proportional
set size (PSS), and what it is per byte of weights.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.serving import served
from bundle import files

IMPORTS = "import uvicorn, service.app"
MB = 2**20


def import_seconds() -> float:
    """Time in which a process imports what the service needs, and ends."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)
    return time.perf_counter() - begin


def start(bundle: Path) -> tuple[float, float]:
    """Start a service once.

    Returns:
        Seconds until it is ready, and its memory in MB.
    """
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        with served(bundle, Path(folder)) as client:
            seconds = time.perf_counter() - begin
            client.health()
            (process,) = _children(bundle)
            return seconds, proportional_set_size(process) / MB


def proportional_set_size(process: int) -> int:
    """Memory of a process in bytes; pages that several processes share count in parts."""
    text = Path(f"/proc/{process}/smaps_rollup").read_text()
    (line,) = (line for line in text.splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) * 1024


def _children(bundle: Path) -> list[int]:
    """Processes that serve the bundle."""
    wanted = ["serve", str(bundle)]
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_text().split("\0")
        except OSError:
            continue
        if words[3:5] == wanted:
            found.append(int(path.parent.name))
    return found


def spread(values: list[float], form: str) -> str:
    """Median and range."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:{form}} ({low:{form}} to {high:{form}})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the start of the service.")
    parser.add_argument("bundles", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    for bundle in given.bundles:
        ratios, memory = [], []
        for _ in range(given.rounds):
            alone = import_seconds()
            seconds, size = start(bundle)
            ratios.append(seconds / alone)
            memory.append(size)
        weights = (bundle / files.PREDICT_WEIGHTS).stat().st_size / MB
        print(
            f"{bundle.name}: ready after {spread(ratios, '.2f')} times its imports,"
            f" {spread(memory, '.0f')} MB with {weights:.0f} MB of weights",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""Measures what it costs to list versions: ``python -m bench.ledger``.

Writes versions of a network's width to a new ledger, and lists them in processes of their own: their
records alone, as the service does it, and with their moments, one after another. Prints the size of the
database, the memory that each process needed beyond one that only opens the ledger, and the ratio of
their processor times; median, minimum and maximum over the repeats.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bundle.moments import FlatMoments
from service.adaptation.state import OnlineState
from service.ledger.changes import VersionPublished
from service.ledger.ledger import Ledger
from service.ledger.records import Page, Target, make_version

# Channels in front of all BatchNorm layers of a ResNet-50.
RESNET50 = 26_560
# An admission snapshot of the usual size: features and digests of 512 images.
ADMISSION = b"0" * 24_000
MODES = ("open", "records", "moments")


def open_target(ledger: Ledger, channels: int) -> Target:
    """The target that all versions belong to."""
    state = OnlineState(FlatMoments(np.zeros(channels), np.ones(channels)), 64.0)
    return ledger.open_target("default", "bundle", state, ADMISSION)


def fill(url: str, versions: int, channels: int) -> None:
    """Publish versions with random moments, one after another."""
    generator = np.random.default_rng(0)
    ledger = Ledger(url)
    target = open_target(ledger, channels)
    for number in range(1, versions + 1):
        moments = FlatMoments(generator.normal(size=channels), generator.random(channels))
        version = make_version(
            number, OnlineState(moments, 64.0), ADMISSION, parent=number - 1, status="published"
        )
        target = ledger.append(target, VersionPublished(version))
    ledger.close()


def read(url: str, mode: str, channels: int) -> None:
    """Do what the mode says, and print the seconds that it took and the peak memory in bytes."""
    ledger = Ledger(url)
    target = open_target(ledger, channels)
    begin = time.process_time()
    records = [] if mode == "open" else ledger.versions(target, Page(10**6))
    kept = [ledger.version(target, record.number) for record in records if mode == "moments"]
    seconds = time.process_time() - begin
    assert len(kept) in (0, len(records))
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def measure(url: str, mode: str, channels: int) -> tuple[float, float]:
    """Seconds and peak bytes of a process that reads the ledger."""
    code = f"from bench.ledger import read; read({url!r}, {mode!r}, {channels})"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    seconds, memory = found.stdout.split()
    return float(seconds), float(memory)


def describe(values: list[float], unit: str) -> str:
    """Median, minimum and maximum."""
    return f"{statistics.median(values):.1f} {unit} ({min(values):.1f} to {max(values):.1f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", type=int, default=300, help="number of versions")
    parser.add_argument("--channels", type=int, default=RESNET50, help="channels of the network")
    parser.add_argument("--repeats", type=int, default=5, help="processes per way to read")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite"
        url = f"sqlite:///{path}"
        fill(url, arguments.versions, arguments.channels)
        found = {
            mode: [measure(url, mode, arguments.channels) for _ in range(arguments.repeats)]
            for mode in MODES
        }
        megabytes = path.stat().st_size / 1e6
    base = statistics.median(memory for _, memory in found["open"])
    print(f"database of {arguments.versions} versions: {megabytes:.0f} MB")
    for mode in MODES[1:]:
        print(
            f"memory to list {mode}: {describe([(m - base) / 1e6 for _, m in found[mode]], 'MB')}"
        )
    pairs = zip(found["moments"], found["records"], strict=True)
    ratios = [moments / records for (moments, _), (records, _) in pairs]
    print(f"processor time, with moments / records alone: {describe(ratios, 'times')}")


if __name__ == "__main__":
    main()

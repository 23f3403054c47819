"""What adaptation costs those who predict: ``python -m bench.adapting_load --network resnet18``.

A network with random weights is exported with images and served. Clients predict JPEG files at a steady
rate that takes a fifth of the machine, first alone, then while another client posts batches to ``/adapt``
without pause, and versions are made and published. Prints the ratio of the 99th percentiles, of three
rounds each in turns, the memory at most beside that of the quiet service, and what a version costs beyond
its scores.
"""

import argparse
import statistics
import tempfile
import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

import httpx
import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from bench.adapting import PERMISSIVE, make_bundle, pictures
from bench.overload import quiet_loop
from bench.refold import measure, refold_seconds
from rn.load.local_service import local_service
from rn.load.payload import NPY, jpeg_payloads, npy_bytes
from rn.load.process_usage import ProcessTree
from rn.load.sending.closed_loop import ClosedLoop
from rn.load.sending.load import make_load, run_load
from rn.load.sending.request import parse_url

SHARE = 0.2
ROUNDS = 3
MB = 2**20
SETTINGS = {f"RN_{name.upper()}": value for name, value in PERMISSIVE.items()}


class Beside(ABC):
    """Something that is done in a thread of its own while the block runs."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @abstractmethod
    def _run(self) -> None:
        """Do it until the end of the block."""


class Adapting(Beside):
    """A client that posts batches, one after another, while the block runs.

    Args:
        url: URL of the service.
        size: height and width of the images.

    Attributes:
        posted: number of images that were posted.
    """

    def __init__(self, url: str, size: int) -> None:
        super().__init__()
        self.posted = 0
        self._url, self._size = url, size

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=300.0) as http:
            while not self._stop.is_set():
                content = npy_bytes(pictures(64, self._size, 1000 + self.posted))
                headers = {"Content-Type": NPY}
                http.post("/adapt", content=content, headers=headers).raise_for_status()
                self.posted += 64


class Peak(Beside):
    """The largest memory of a process while the block runs."""

    def __init__(self, tree: ProcessTree) -> None:
        super().__init__()
        self.bytes = 0
        self._tree = tree

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            self.bytes = max(self.bytes, self._tree.memory() or 0)


def commits(url: str) -> tuple[float, float]:
    """Number of versions that were made, and seconds that they took."""
    text = httpx.get(f"{url}/metrics", timeout=60.0).text
    samples = [s for f in text_string_to_metric_families(text) for s in f.samples]
    values = {sample.name: sample.value for sample in samples}
    return values["rn_commit_seconds_count"], values["rn_commit_seconds_sum"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What adaptation costs those who predict.")
    parser.add_argument("--network", default="resnet18", help="name of a timm model")
    parser.add_argument("--size", type=int, default=224, help="height and width of the images")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each load")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bundle = make_bundle(given.network, pictures(128, given.size, 0), folder)
        parts = measure(bundle, given.size, repeats=7)
        print(
            f"{given.network}: a version takes {1e3 * refold_seconds(parts):.0f} ms beyond its scores"
        )
        with local_service(folder / "bundle", SETTINGS) as (url, pid):
            tree = ProcessTree(pid)
            load = make_load(parse_url(url), "/predict", jpeg_payloads(), tree)
            rate = SHARE * run_load(load, ClosedLoop(2, 5.0, 2.0)).requests_per_second
            quiet_memory = tree.memory() or 0
            ratios, posted, peak = list[float](), 0, 0
            before = commits(url)
            for _ in range(ROUNDS):
                alone = quiet_loop(load, rate, given.seconds)
                with Peak(tree) as memory, Adapting(url, given.size) as adapting:
                    beside = quiet_loop(load, rate, given.seconds)
                posted += adapting.posted
                peak = max(peak, memory.bytes)
                failed = int((~beside.succeeded).sum())
                p99 = [float(np.quantile(x.latencies, 0.99)) for x in (alone, beside)]
                ratios.append(p99[1] / p99[0])
                print(f"p99 beside / alone {ratios[-1]:.2f}; failed {failed}", flush=True)
            after = commits(url)
    count, seconds = after[0] - before[0], after[1] - before[1]
    low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
    print(f"p99 while adapting: {middle:.2f} times quiet ({low:.2f} to {high:.2f})")
    print(f"{posted} images adapted, {count:.0f} versions in {seconds / max(count, 1):.1f} s each")
    print(
        f"memory: quiet {quiet_memory / MB:.0f} MB, at most {peak / MB:.0f} MB while adapting"
        f" ({(peak - quiet_memory) / MB:.0f} MB more)"
    )


if __name__ == "__main__":
    main()

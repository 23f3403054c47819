"""A hundred targets over one set of weights: ``python -m bench.targets BUNDLE``.

Makes targets, lets each adapt to a batch so that it has a version of its own, and then predicts one image
with each in turn, so that every target has to come back from the ledger. Prints the time until its
prediction, of a target that is in memory and of one that is not, also as a ratio to one prediction, and the
memory of the service with one target and with all.
"""

import argparse
import statistics
import time
from pathlib import Path

import httpx
import numpy as np

from bundle import load_bundle
from bundle.preprocessing import Pixels
from rn.load.local_service import local_service
from rn.load.payload import NPY, npy_bytes
from rn.load.process_usage import ProcessTree

MB = 2**20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="A hundred targets over one set of weights.")
    parser.add_argument("bundle", type=Path, help="bundle with sample images")
    parser.add_argument("--targets", type=int, default=100)
    given = parser.parse_args()
    samples = load_bundle(given.bundle).sample_images
    assert samples is not None, "a bundle with sample images is needed"
    settings = {
        "RN_ADAPTATION": "auto",
        "RN_MAX_TARGETS": str(given.targets + 1),
        "RN_COMMIT_EVERY": "8",
    }
    with (
        local_service(given.bundle, settings) as (url, pid),
        httpx.Client(base_url=url, headers={"Content-Type": NPY}, timeout=300.0) as http,
    ):
        tree = ProcessTree(pid)
        http.post("/predict", content=npy_bytes(samples[:1])).raise_for_status()
        quiet = tree.memory() or 0
        names = [f"camera-{number}" for number in range(given.targets)]
        versions = [make(http, name, samples) for name in names]
        here, away = list[float](), list[float]()
        for name, version in zip(names, versions, strict=True):
            for times in (away, here, here):
                begun = time.perf_counter()
                answer = http.post(f"/targets/{name}/predict", content=npy_bytes(samples[:1]))
                times.append(time.perf_counter() - begun)
                assert answer.raise_for_status().json()["version"] == version, name
        after = tree.memory() or 0
    one = statistics.median(here)
    made = sum(version > 0 for version in versions)
    print(f"{given.targets} targets, {made} with a version of their own")
    for what, times in (("in memory", here), ("in the ledger", away)):
        middle, worst = 1e3 * statistics.median(times), 1e3 * max(times)
        ratio = statistics.median(times) / one
        print(f"{what:<14}{middle:8.1f} ms, at most {worst:.1f} ms; {ratio:.1f} times a prediction")
    print(f"memory: {quiet / MB:.0f} MB with one target, {after / MB:.0f} MB with all")


def make(http: httpx.Client, name: str, samples: Pixels) -> int:
    """Make a target, let it adapt, and return the version that it serves."""
    http.post("/targets", json={"name": name}, headers={"Content-Type": "application/json"})
    generator = np.random.default_rng(len(name))
    chosen = samples[generator.choice(len(samples), 16, replace=False)]
    answer = http.post(f"/targets/{name}/adapt", content=npy_bytes(chosen)).raise_for_status()
    version: int = answer.json()["serving"]
    return version


if __name__ == "__main__":
    main()

"""Replaces a model and moves its label while clients predict: ``python -m bench.reloads BUNDLE``.

Prints the number of requests, how many of them failed, and the memory of the service before and after.
"""

import hashlib
import json
import os
import shutil
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import psutil

from bench.serving.service import served
from bundle.files import MANIFEST, MANIFEST_SUM
from bundle.manifest import Manifest
from rn.load.payload import npy_bytes

SWAPS = 100
WARM_UP = 10
CLIENTS = 2


def main() -> None:
    """Measure the bundle that the command line names."""
    source = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle"
        put(source, path, "first")
        with served(path, Path(folder)) as client:
            print(json.dumps(measure(source, path, str(client.health().model), client.url)))


def measure(source: Path, path: Path, model: str, url: str) -> dict[str, float]:
    """Swap under load.

    Args:
        source: the bundle.
        path: the copy that is served.
        model: name of the model.
        url: URL of the service.
    """
    (process,) = psutil.Process().children()
    stop, statuses = threading.Event(), list[int]()
    body = images(source)

    def send() -> None:
        headers = {"content-type": "application/x-npy"}
        with httpx.Client(base_url=url, timeout=60) as http:
            while not stop.is_set():
                statuses.append(http.post("/predict", content=body, headers=headers).status_code)

    memory = []
    with ThreadPoolExecutor(CLIENTS) as threads, httpx.Client(base_url=url, timeout=60) as http:
        for _ in range(CLIENTS):
            threads.submit(send)
        try:
            for number in range(WARM_UP + SWAPS):
                if number in (0, WARM_UP):
                    memory.append(process.memory_info().rss / 2**20)
                if number % 2:
                    put(source, path, ("first", "second")[number // 2 % 2])
                    http.post(f"/models/{model}/load").raise_for_status()
                else:
                    http.post("/versions/0/promote").raise_for_status()
            memory.append(process.memory_info().rss / 2**20)
        finally:
            stop.set()
    return {
        "swaps": SWAPS,
        "requests": len(statuses),
        "failed": sum(status != 200 for status in statuses),
        "start_mb": round(memory[0], 1),
        "before_mb": round(memory[1], 1),
        "after_mb": round(memory[2], 1),
    }


def put(source: Path, path: Path, name: str) -> None:
    """Put a copy of a bundle in place of the one that is served; its name makes it another one."""
    made = path.with_suffix(".made")
    shutil.copytree(source, made)
    manifest = json.dumps({**json.loads((made / MANIFEST).read_text()), "name": name}).encode()
    (made / MANIFEST).write_bytes(manifest)
    digest = hashlib.sha256(manifest).hexdigest()
    (made / MANIFEST_SUM).write_text(f"{digest}  {MANIFEST}\n")
    if path.exists():
        old = path.with_suffix(".old")
        path.rename(old)
        shutil.rmtree(old)
    os.rename(made, path)


def images(bundle: Path) -> bytes:
    """The body of a request with two images."""
    manifest = Manifest.model_validate_json((bundle / MANIFEST).read_bytes())
    return npy_bytes(np.zeros((2, *manifest.preprocessing.shape), np.uint8))


if __name__ == "__main__":
    main()

"""Measures the whole service on the device, over HTTP."""

import http.client
import os
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from bench.gpu.measuring import Found, spread
from bench.gpu.predicting import images_of
from bundle import Bundle
from rn.load.payload import npy_bytes
from service.vocabulary import Device, Precision

CLIENTS = ((1, 1), (16, 1), (64, 1), (1, 16), (16, 16))


def requests(
    bundle: Bundle, path: Path, device: Device, precision: Precision, seconds: float
) -> list[Found]:
    """Images per second and latency of ``.npy`` requests, by clients and images per request."""
    from bench.serving import served

    os.environ |= {"RN_DEVICE": device, "RN_PRECISION": precision, "RN_MAX_QUEUE": "4096"}
    rows: list[Found] = []
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        try:
            with served(path, Path(folder)) as client:
                ready = round(time.perf_counter() - begun, 2)
                url = urlsplit(client._url)
                for clients, images in CLIENTS:
                    body = npy_bytes(images_of(bundle, images))
                    found = _load((url.hostname or "", url.port or 0), body, clients, seconds)
                    found["images_per_s"] = round(found.pop("requests_per_s") * images, 1)
                    common: Found = {"precision": precision, "ready_s": ready}
                    rows.append({**common, "clients": clients, "images": images, **found})
        except RuntimeError as error:
            log = (Path(folder) / "service.log").read_text(errors="replace")
            raise RuntimeError(f"{error}: {log[-1500:]}") from error
    return rows


def _load(address: tuple[str, int], body: bytes, clients: int, seconds: float) -> Found:
    latencies: list[float] = []
    failures: list[str] = []
    ends = time.perf_counter() + seconds

    def run() -> None:
        connection = http.client.HTTPConnection(*address, timeout=30)
        try:
            while time.perf_counter() < ends:
                begun = time.perf_counter()
                connection.request("POST", "/predict", body, {"Content-Type": "application/x-npy"})
                answer = connection.getresponse()
                content = answer.read()
                if answer.status == 200:
                    latencies.append(time.perf_counter() - begun)
                else:
                    failures.append(f"{answer.status} {content[:200]!r}")
        except OSError as error:
            failures.append(str(error))
        finally:
            connection.close()

    begun = time.perf_counter()
    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - begun
    if not latencies:
        raise RuntimeError(f"no request succeeded: {failures[:3]}")
    found: Found = {"requests_per_s": len(latencies) / elapsed, "failed": len(failures)}
    return {**found, **spread(latencies), "first_failures": failures[:2]}

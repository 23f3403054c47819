"""Times with their spread, and what the machine is."""

import ctypes
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, distributions, version
from typing import Any

import numpy as np

Found = dict[str, Any]

PACKAGES = ("onnxruntime", "onnxruntime-gpu", "torch", "timm", "onnx", "onnxscript", "numpy")


def spread(seconds: Sequence[float]) -> Found:
    """Median and quartiles in milliseconds, and the number of repeats."""
    low, middle, high = np.quantile(np.array(seconds) * 1000, (0.25, 0.5, 0.75))
    return {
        "ms": round(float(middle), 4),
        "ms_quartiles": [round(float(low), 4), round(float(high), 4)],
        "ms_p99": round(float(np.quantile(np.array(seconds) * 1000, 0.99)), 4),
        "repeats": len(seconds),
    }


def times(
    work: Callable[[], object], budget: float, least: int = 5, most: int = 400
) -> list[float]:
    """Seconds of each repeat, after two that warm up.

    Args:
        work: what to measure; it returns when its result is on the host.
        budget: seconds after which no further repeat begins.
        least, most: bounds of the number of repeats.
    """
    for _ in range(2):
        work()
    found: list[float] = []
    while len(found) < least or (sum(found) < budget and len(found) < most):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return found


def device_bytes() -> int:
    """Bytes of device memory in use, by all processes; 0 without a GPU."""
    try:
        driver = ctypes.CDLL("libcudart.so.13")
    except OSError:
        return 0
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    if driver.cudaMemGetInfo(ctypes.byref(free), ctypes.byref(total)) != 0:
        return 0
    return total.value - free.value


def machine() -> Found:
    """Names and versions of what the figures depend on."""
    import onnxruntime as ort

    found: Found = {
        "python": platform.python_version(),
        "onnxruntime imported": ort.__version__,
        "providers": ort.get_available_providers(),
    }
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    for package in distributions():
        name = package.metadata["Name"] or ""
        if name.startswith("nvidia-"):
            found[name] = package.version
    query = "name,driver_version,memory.total,clocks.max.sm,power.limit"
    found["gpu"] = _output("nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader")
    return found


def _output(*command: str) -> str | None:
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()

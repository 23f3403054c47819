"""Measures what a version costs on the device: refolding, a session, warming, and observing."""

import time
from pathlib import Path

import numpy as np

from bench.gpu.measuring import Found, device_bytes, spread, times
from bench.gpu.predicting import images_of
from bundle import Bundle
from bundle.moments import FlatMoments
from bundle.runtime import Refolder
from service.adaptation.observer import Observer
from service.adaptation.state import OnlineState
from service.inference.sessions import SessionBuilder
from service.settings import Settings
from service.vocabulary import Device, Precision


def moved(bundle: Bundle, seed: int) -> FlatMoments:
    """Moments near those of the bundle, other ones for every seed."""
    factor = 1 + 0.1 * np.random.default_rng(seed).random(bundle.manifest.channels)
    return FlatMoments(bundle.target.mean * factor, bundle.target.variance * factor)


def swaps(bundle: Bundle, path: Path, device: Device, precision: Precision, count: int) -> Found:
    """Time of each swap by part, and device memory after each."""
    builder = SessionBuilder(bundle, Settings(bundle=path, device=device, precision=precision))
    refolder = Refolder(bundle)
    session = builder.build(0, bundle.target, 0.0)
    image = images_of(bundle, 1)
    refold, whole, used = list[float](), list[float](), list[int]()
    for number in range(1, count + 1):
        moments = moved(bundle, number)
        refold += times(lambda m=moments: refolder.arrays(m, 64.0), 0, least=1, most=1)  # type: ignore[misc]
        begun = time.perf_counter()
        session = builder.build(number, moments, 64.0)
        whole.append(time.perf_counter() - begun)
        session.probabilities(image)
        used.append(device_bytes())
    late = used[min(4, count - 1)]
    return {
        "precision": precision,
        "refold": spread(refold),
        "refold, session and warming": spread(whole),
        "swaps": count,
        "bytes_first": used[0],
        "bytes_last": used[-1],
        "bytes_grown_after_fifth": used[-1] - late,
    }


def observing(bundle: Bundle, path: Path, device: Device, budget: float) -> list[Found]:
    """Time of observing a batch, relative to predicting it in float32."""
    settings = Settings(bundle=path, device=device)
    observer = Observer(bundle, settings)
    session = SessionBuilder(bundle, settings).build(0, bundle.target, 0.0)
    state = OnlineState(bundle.target, 64.0, 0)
    rows: list[Found] = []
    for batch in (1, 8, 64):
        images = images_of(bundle, batch)
        observed = spread(times(lambda i=images: observer.observe(i, state), budget))  # type: ignore[misc]
        predicted = spread(times(lambda i=images: session.probabilities(i), budget))  # type: ignore[misc]
        ratio = round(observed["ms"] / predicted["ms"], 2)
        rows.append({"batch": batch, "observe": observed, "predict": predicted, "ratio": ratio})
    return rows

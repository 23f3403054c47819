"""Measures predictions: precisions, batch sizes, and how a run is started."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.gpu.measuring import Found, device_bytes, spread, times
from bundle import Bundle
from bundle.runtime import make_session
from service.inference.device import CUDA, CudaOptions, cuda_options, device_session, providers_for
from service.inference.gpu.half import HalfGraph
from service.inference.gpu.runner import CudaRunner
from service.vocabulary import Device, Precision

BATCHES = (1, 2, 4, 8, 16, 32, 64)


class Graph(NamedTuple):
    """A graph and its arrays in one precision."""

    precision: Precision
    graph: bytes
    arrays: Mapping[str, NDArray[Any]]


def graphs_of(bundle: Bundle) -> Iterator[Graph]:
    """The predictor in every precision."""
    yield Graph("fp32", bundle.predict, bundle.predict_arrays)
    yield Graph("tf32", bundle.predict, bundle.predict_arrays)
    half = HalfGraph(bundle.predict, bundle.predict_arrays)
    yield Graph("fp16", half.graph, half.arrays(bundle.predict_arrays))


def images_of(bundle: Bundle, count: int) -> NDArray[np.uint8]:
    """Random images."""
    shape = (count, *bundle.manifest.preprocessing.shape)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def runner_of(bundle: Bundle, one: Graph, device: Device, *, graphs: bool) -> CudaRunner:
    """A runner as the service makes it."""
    return CudaRunner(
        device_session(one.graph, one.arrays, device, CudaOptions(one.precision, graphs)),
        bundle.manifest.preprocessing.shape,
        len(bundle.manifest.classes),
        max(BATCHES),
        device=device,
        graphs=graphs,
    )


def measure(bundle: Bundle, device: Device, budget: float) -> list[Found]:
    """Latency of every precision, way of running and batch size.

    Args:
        bundle: the network.
        device: where to run.
        budget: seconds for each figure.
    """
    rows: list[Found] = []
    images = images_of(bundle, max(BATCHES))
    reference = None
    for one in graphs_of(bundle):
        for name, make in _ways(bundle, one, device).items():
            before, begun = device_bytes(), time.perf_counter()
            try:
                run = make()
                logits = run(images)
            except Exception as error:
                rows.append({"precision": one.precision, "way": name, "error": str(error)[:300]})
                continue
            seconds = time.perf_counter() - begun
            reference = logits if reference is None else reference
            common: Found = {
                "precision": one.precision,
                "way": name,
                "ready_s": round(seconds, 3),
                "bytes": device_bytes() - before,
                "labels_changed": float((logits.argmax(1) != reference.argmax(1)).mean()),
                "logit_error": float(np.abs(logits - reference).max() / np.abs(reference).max()),
            }
            for batch in BATCHES:
                found = spread(times(lambda run=run, batch=batch: run(images[:batch]), budget))  # type: ignore[misc]
                rate = round(1000 * batch / found["ms"], 1)
                rows.append({**common, "batch": batch, "images_per_s": rate, **found})
            del run
    return rows


def _ways(
    bundle: Bundle, one: Graph, device: Device
) -> dict[str, Callable[[], Callable[[Any], Any]]]:
    """Ways to run a graph: by copies, from bound buffers, and as CUDA graphs."""

    def plain() -> Callable[[Any], Any]:
        session = device_session(one.graph, one.arrays, device, CudaOptions(one.precision))
        return lambda images: session.run(["logits"], {"image": images})[0]

    def bound(graphs: bool) -> Callable[[], Callable[[Any], Any]]:
        return lambda: runner_of(bundle, one, device, graphs=graphs).logits

    return {"plain": plain, "bound": bound(False), "graphs": bound(True)}


def provider_options(bundle: Bundle, device: Device, budget: float) -> list[Found]:
    """What other options of the provider would give, in float16 and float32, from bound buffers."""
    changes: dict[str, dict[str, str]] = {
        "as served": {},
        "exhaustive": {"cudnn_conv_algo_search": "EXHAUSTIVE"},
        "default search": {"cudnn_conv_algo_search": "DEFAULT"},
        "nhwc": {"prefer_nhwc": "1"},
        "fused bias": {"fuse_conv_bias": "1"},
        "nhwc, fused bias": {"prefer_nhwc": "1", "fuse_conv_bias": "1"},
    }
    rows: list[Found] = []
    for one in graphs_of(bundle):
        for name, change in changes.items():
            providers = providers_for(device)
            if device == "cuda":
                options = cuda_options(CudaOptions(one.precision, graphs=True))
                providers = [(CUDA, {**options, **change}), "CPUExecutionProvider"]
            row: Found = {"precision": one.precision, "options": name}
            begun = time.perf_counter()
            try:
                runner = CudaRunner(
                    make_session(one.graph, one.arrays, threads=1, providers=providers),
                    bundle.manifest.preprocessing.shape,
                    len(bundle.manifest.classes),
                    max(BATCHES),
                    device=device,
                    graphs=device == "cuda",
                )
            except Exception as error:
                rows.append({**row, "error": str(error)[:300]})
                continue
            row["ready_s"] = round(time.perf_counter() - begun, 3)
            for batch in (1, 8, 64):
                images = images_of(bundle, batch)
                found = times(lambda r=runner, i=images: r.logits(i), budget)  # type: ignore[misc]
                row[f"ms_{batch}"] = spread(found)["ms"]
            rows.append(row)
            del runner
    return rows

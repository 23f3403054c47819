"""Devices, precisions and what is refused; everything here runs on the CPU."""

import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundle import Bundle, load_bundle
from bundle.runtime import make_session
from service.inference.device import (
    RECORD_NODES,
    CudaOptions,
    DeviceError,
    check_nodes,
    cuda_options,
    nodes_on_cpu,
    providers_for,
)
from service.inference.gpu.sessions import CudaRunners, check_device, check_precision
from service.inference.sessions import SessionBuilder
from tests.service.pictures import noise
from tests.service.running import settings_for


@pytest.fixture(scope="module")
def bundle(small_bundle: Path) -> Bundle:
    return load_bundle(small_bundle)


def runners(bundle: Bundle, path: Path, folder: Path, **changes: Any) -> CudaRunners:
    """What a GPU would run, on the CPU."""
    return CudaRunners(bundle, settings_for(path, folder, **changes))


def test_options_of_the_provider() -> None:
    assert cuda_options(CudaOptions()) == {
        "cudnn_conv_algo_search": "HEURISTIC",
        "arena_extend_strategy": "kSameAsRequested",
        "use_tf32": "0",
        "enable_cuda_graph": "0",
    }
    changed = cuda_options(CudaOptions("tf32", graphs=True, memory_bytes=10**9))
    assert changed["use_tf32"] == changed["enable_cuda_graph"] == "1"
    assert changed["gpu_mem_limit"] == "1000000000"


def test_a_gpu_is_refused_without_its_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(DeviceError, match="install the extra 'gpu' instead of 'cpu'"):
        providers_for("cuda")


def test_nodes_on_the_cpu_are_found(bundle: Bundle) -> None:
    session = make_session(bundle.predict, bundle.predict_arrays, threads=1, config=RECORD_NODES)
    found = nodes_on_cpu(session)
    assert found["Gemm"] + found["FusedGemm"] >= 1
    with pytest.raises(DeviceError, match=r"no CUDA kernel for .*Conv.* of this network"):
        check_nodes(found)


@pytest.mark.parametrize("on_cpu", [{}, {"Shape": 1, "Gather": 2, "Concat": 1}])
def test_nodes_on_shapes_may_run_on_the_cpu(on_cpu: Mapping[str, int]) -> None:
    check_nodes(Counter(on_cpu))


@pytest.mark.parametrize("precision", ["tf32", "fp16"])
def test_a_lower_precision_needs_a_gpu(
    bundle: Bundle, small_bundle: Path, tmp_path: Path, precision: str
) -> None:
    with pytest.raises(DeviceError, match=f"RN_PRECISION={precision} needs a GPU"):
        SessionBuilder(bundle, settings_for(small_bundle, tmp_path, precision=precision))
    check_device("fp32", "cpu")
    check_device("fp16", "cuda")


def test_half_precision_is_compared_and_run(
    bundle: Bundle, small_bundle: Path, tmp_path: Path
) -> None:
    images = noise(9, 4)
    exact = runners(bundle, small_bundle, tmp_path).make(bundle.predict_arrays).logits(images)
    half = runners(bundle, small_bundle, tmp_path, precision="fp16", max_batch=4)
    found = half.make(bundle.predict_arrays).logits(images)
    assert 0 < np.abs(found - exact).max() < 0.01 * np.abs(exact).max()


def test_a_precision_that_changes_labels_is_refused() -> None:
    logits = np.eye(4, dtype=np.float32)
    labels = np.array([0, 1, 2, 0])
    check_precision("fp16", labels, logits, 0.25)
    with pytest.raises(DeviceError, match=r"changes the label of 25.00% of 4 sample images"):
        check_precision("fp16", labels, logits, 0.24)
    logits[0, 0] = np.inf
    with pytest.raises(DeviceError, match="not finite"):
        check_precision("fp16", labels, logits, 1.0)


def test_without_sample_images_nothing_is_compared(
    wide_bundle: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        runners(load_bundle(wide_bundle), wide_bundle, tmp_path, precision="fp16")
    assert "the bundle holds no sample images" in caplog.text


def test_what_cannot_be_captured_runs_without_graphs(
    bundle: Bundle,
    small_bundle: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    build = CudaRunners._build

    def refuse(self: CudaRunners, *given: Any, graphs: bool) -> Any:
        if graphs:
            raise RuntimeError("cannot be captured")
        return build(self, *given, graphs=graphs)

    monkeypatch.setattr(CudaRunners, "_build", refuse)
    made = runners(bundle, small_bundle, tmp_path)
    with caplog.at_level(logging.WARNING):
        assert made.make(bundle.predict_arrays).logits(noise(2, 1)).shape == (2, 3)
        made.make(bundle.predict_arrays)
    assert caplog.messages == ["runs without CUDA graphs, which failed: cannot be captured"]

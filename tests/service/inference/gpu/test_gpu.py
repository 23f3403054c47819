"""What only a GPU can show; run these alone with ``pytest -m gpu``."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from bundle import Bundle, load_bundle
from bundle.moments import FlatMoments
from bundle.runtime import Refolder, make_session
from service.inference.device import CUDA, RECORD_NODES, nodes_on_cpu, providers_for
from service.inference.gpu.sessions import CudaRunners
from service.inference.sessions import SessionBuilder
from service.vocabulary import Precision
from tests.service.online_targets import target_of
from tests.service.pictures import noise
from tests.service.running import serving, settings_for

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        CUDA not in ort.get_available_providers(), reason="this ONNX Runtime has no CUDA"
    ),
]


@pytest.fixture(scope="module")
def bundle(small_bundle: Path) -> Bundle:
    return load_bundle(small_bundle)


@pytest.fixture
def moved(bundle: Bundle) -> FlatMoments:
    return FlatMoments(bundle.target.mean + 0.3, bundle.target.variance * 1.7)


def runners(bundle: Bundle, path: Path, folder: Path, **changes: Any) -> CudaRunners:
    return CudaRunners(bundle, settings_for(path, folder, device="cuda", **changes))


def expected(bundle: Bundle, arrays: Any, images: Any) -> Any:
    """Logits on the CPU."""
    return make_session(bundle.predict, arrays, threads=1).run(["logits"], {"image": images})[0]


@pytest.mark.parametrize("graphs", [True, False])
def test_predictions_are_those_of_the_cpu(
    bundle: Bundle, small_bundle: Path, tmp_path: Path, graphs: bool
) -> None:
    made = runners(bundle, small_bundle, tmp_path, cuda_graphs=graphs, max_batch=16)
    runner = made.make(bundle.predict_arrays)
    assert made._graphs == graphs
    for count in (1, 2, 3, 5, 16, 17, 40):
        images = noise(count, count)
        found = runner.logits(images)
        np.testing.assert_allclose(
            found, expected(bundle, bundle.predict_arrays, images), rtol=1e-4, atol=1e-4
        )


def test_graphs_change_nothing(bundle: Bundle, small_bundle: Path, tmp_path: Path) -> None:
    pair = [
        runners(bundle, small_bundle, tmp_path, cuda_graphs=graphs, max_batch=8).make(
            bundle.predict_arrays
        )
        for graphs in (True, False)
    ]
    for seed in range(20):
        images = noise(1 + seed % 8, seed)
        replayed, launched = (runner.logits(images) for runner in pair)
        np.testing.assert_allclose(replayed, launched, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("precision", "tolerance"), [("tf32", 0.01), ("fp16", 0.02)])
def test_lower_precision_is_close(
    bundle: Bundle,
    small_bundle: Path,
    tmp_path: Path,
    moved: FlatMoments,
    precision: Precision,
    tolerance: float,
) -> None:
    arrays = Refolder(bundle).arrays(moved, 64.0)
    images = noise(32, 5)
    made = runners(bundle, small_bundle, tmp_path, precision=precision)
    exact = expected(bundle, arrays, images)
    error = np.abs(made.make(arrays).logits(images) - exact).max() / np.abs(exact).max()
    assert error < tolerance


def test_no_node_runs_on_the_cpu(bundle: Bundle) -> None:
    session = make_session(
        bundle.predict,
        bundle.predict_arrays,
        threads=1,
        providers=providers_for("cuda"),
        config=RECORD_NODES,
    )
    assert not nodes_on_cpu(session)


def test_versions_are_built_while_others_run(
    bundle: Bundle, small_bundle: Path, tmp_path: Path, moved: FlatMoments
) -> None:
    """A graph is captured while other threads predict, and both are right."""
    builder = SessionBuilder(bundle, settings_for(small_bundle, tmp_path, device="cuda"))
    assert builder.build(0, bundle.target, 0.0).version == 0
    assert builder.provider == CUDA
    served = builder.build(0, bundle.target, 0.0)
    images = noise(7, 1)
    before = served.probabilities(images)
    stop, wrong = threading.Event(), list[Any]()

    def predict() -> None:
        while not stop.is_set():
            try:
                found = served.probabilities(images)
            except Exception as error:
                wrong.append(error)
                return
            if not np.allclose(found, before, atol=1e-5):
                wrong.append(found)

    threads = [threading.Thread(target=predict) for _ in range(3)]
    for thread in threads:
        thread.start()
    exact = expected(bundle, Refolder(bundle).arrays(moved, 64.0), images)
    try:
        for number in range(1, 6):
            session = builder.build(number, moved, 64.0)
            np.testing.assert_allclose(session.runner.logits(images), exact, rtol=1e-4, atol=1e-4)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not wrong


def test_memory_is_flat_over_many_versions(
    bundle: Bundle, small_bundle: Path, tmp_path: Path
) -> None:
    builder = SessionBuilder(bundle, settings_for(small_bundle, tmp_path, device="cuda"))
    generator = np.random.default_rng(0)
    used: list[int] = []
    session = builder.build(0, bundle.target, 0.0)
    for number in range(1, 51):
        factor = 1 + 0.1 * generator.random(bundle.manifest.channels)
        session = builder.build(
            number,
            FlatMoments(bundle.target.mean * factor, bundle.target.variance * factor),
            64.0,
        )
        used.append(device_bytes())
    assert session.version == 50
    # The first versions make what the process keeps: handles, kernels and the arena of the buffers.
    assert used[-1] - used[9] < 16 * 2**20


def device_bytes() -> int:
    """Bytes of the device that are in use, by whomever."""
    torch = pytest.importorskip("torch")
    free, total = torch.cuda.mem_get_info()
    return int(total - free)


def test_a_target_adapts_and_publishes(small_bundle: Path, tmp_path: Path) -> None:
    images = [noise(8, seed) for seed in range(8)]
    with target_of(small_bundle, tmp_path, commit_every=32, device="cuda") as target:
        assert target.provider == CUDA
        for batch in images:
            target.adapt(list(batch))
        version = target.served.served.version
        found = target.served.served.probabilities(noise(5, 50))
    assert version > 0
    # The next process reads the same version, and runs it on the CPU.
    with target_of(small_bundle, tmp_path, commit_every=32) as again:
        assert again.served.served.version == version
        np.testing.assert_allclose(
            again.served.served.probabilities(noise(5, 50)), found, atol=1e-4
        )


def test_the_service_says_where_it_runs(small_bundle: Path, tmp_path: Path) -> None:
    with serving(settings_for(small_bundle, tmp_path, device="cuda")) as service:
        answer = service.predict(noise(3, 1))
        assert len(answer["predictions"]) == 3
        assert service.resources.models.default.provider == CUDA


def test_a_gpu_that_cannot_be_used_is_refused(
    bundle: Bundle, small_bundle: Path, tmp_path: Path
) -> None:
    """A process that sees no device is refused instead of predicting on the CPU."""
    code = (
        "import sys\nfrom rn.main import main\n"
        f"sys.argv = ['rn', 'serve', {str(small_bundle)!r}, '--device', 'cuda', '--port', '0']\nmain()"
    )
    environment = {
        **os.environ,
        "CUDA_VISIBLE_DEVICES": "-1",
        "RN_LEDGER": f"sqlite:///{tmp_path}/l.sqlite",
    }
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 1, result.stderr
    assert "RN_DEVICE is cuda" in result.stderr

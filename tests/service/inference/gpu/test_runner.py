"""Buffers, padding and batches of a GPU's runner; everything here runs on the CPU."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from bundle import Bundle, load_bundle
from bundle.runtime import make_session
from service.inference.gpu.runner import CudaRunner, batch_sizes, padded_size
from tests.service.pictures import noise

CLASSES = 3


@pytest.fixture(scope="module")
def bundle(small_bundle: Path) -> Bundle:
    return load_bundle(small_bundle)


def runner_of(bundle: Bundle, max_batch: int) -> CudaRunner:
    runtime = make_session(bundle.predict, bundle.predict_arrays, threads=1)
    return CudaRunner(
        runtime, bundle.manifest.preprocessing.shape, CLASSES, max_batch, device="cpu"
    )


@pytest.mark.parametrize(
    ("max_batch", "sizes"),
    [
        (1, [1]),
        (2, [1, 2]),
        (3, [1, 2, 3]),
        (8, [1, 2, 4, 8]),
        (12, [1, 2, 4, 8, 12]),
        (64, [1, 2, 4, 8, 16, 32, 64]),
    ],
)
def test_the_sizes_of_batches(max_batch: int, sizes: list[int]) -> None:
    assert batch_sizes(max_batch) == sizes
    for images in range(1, max_batch + 1):
        size = padded_size(images, sizes)
        assert size >= images
        assert all(other < images for other in sizes if other < size)


@pytest.mark.parametrize("images", [1, 3, 4, 5, 6, 7, 23])
def test_a_padded_batch_predicts_as_the_graph_does(bundle: Bundle, images: int) -> None:
    runner = runner_of(bundle, 6)
    plain = make_session(bundle.predict, bundle.predict_arrays, threads=1)
    for seed in range(3):
        pixels = noise(images, seed)
        (expected,) = plain.run(["logits"], {"image": pixels})
        np.testing.assert_allclose(runner.logits(pixels), expected, rtol=1e-5, atol=1e-6)


def test_an_answer_is_not_overwritten_by_the_next(bundle: Bundle) -> None:
    runner = runner_of(bundle, 4)
    first = runner.logits(noise(4, 1))
    kept = first.copy()
    runner.logits(noise(4, 2))
    assert np.array_equal(first, kept)


def test_images_that_are_not_contiguous(bundle: Bundle) -> None:
    runner = runner_of(bundle, 4)
    pixels = noise(8, 3)
    assert np.array_equal(runner.logits(pixels[::2]), runner.logits(pixels[::2].copy()))


def test_threads_take_turns(bundle: Bundle) -> None:
    runner = runner_of(bundle, 8)
    batches = [noise(count, count) for count in (1, 3, 5, 8)]
    alone = [runner.logits(batch) for batch in batches]
    wrong: list[int] = []

    def predict(number: int) -> None:
        for _ in range(50):
            if not np.array_equal(runner.logits(batches[number]), alone[number]):
                wrong.append(number)

    threads = [threading.Thread(target=predict, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


class Watched:
    """A session that notes which threads run it."""

    def __init__(self, runtime: ort.InferenceSession) -> None:
        self._runtime = runtime
        self.threads: set[int] = set()

    def io_binding(self) -> ort.IOBinding:
        return self._runtime.io_binding()

    def run_with_iobinding(self, *given: Any) -> None:
        self.threads.add(threading.get_ident())
        self._runtime.run_with_iobinding(*given)


def test_one_thread_makes_all_runs(bundle: Bundle) -> None:
    # The runtime keeps what it captured for each thread.
    watched = Watched(make_session(bundle.predict, bundle.predict_arrays, threads=1))
    shape = bundle.manifest.preprocessing.shape
    runner = CudaRunner(watched, shape, CLASSES, 4, device="cpu")
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(runner.logits, [noise(images, images) for images in (1, 2, 3, 4)]))
    assert len(watched.threads) == 1
    assert threading.get_ident() not in watched.threads

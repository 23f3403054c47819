import threading
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager

import numpy as np
import pytest

from bundle import Pixels
from service.errors import DeadlinePassed, QueueFull, ShuttingDown
from service.inference.prediction import Prediction
from service.inference.queue import PredictionQueue
from service.monitoring.metrics import Metrics

LONG = 300.0


class Runner:
    """Stands for the network: answers the first pixel of every image, when the test lets it.

    Attributes:
        runs: version asked for and number of images of every run.
        served: the version that is served.
    """

    def __init__(self) -> None:
        self.runs: list[tuple[int | None, int]] = []
        self.served = 1
        self.error: Exception | None = None
        self._entered = threading.Semaphore(0)
        self._go = threading.Semaphore(0)

    def __call__(self, version: int | None, pixels: Pixels) -> Prediction:
        self.runs.append((version, len(pixels)))
        self._entered.release()
        assert self._go.acquire(timeout=LONG)
        if self.error is not None:
            raise self.error
        served = self.served if version is None else version
        return Prediction(served, pixels[:, 0, 0].astype(np.float64))

    def wait_for_run(self) -> None:
        assert self._entered.acquire(timeout=LONG)

    def let_go(self, runs: int = 1) -> None:
        self._go.release(runs)


def images(*values: int) -> Pixels:
    return np.array(values, np.uint8).reshape(-1, 1, 1, 1)


def values(reply: Future[Prediction]) -> list[float]:
    result: list[float] = reply.result(LONG).probabilities[:, 0].tolist()
    return result


@contextmanager
def queue_of(
    runner: Runner, max_batch: int = 8, max_queue: int = 16, metrics: Metrics | None = None
) -> Iterator[PredictionQueue]:
    made = PredictionQueue(metrics or Metrics(), max_batch, max_queue)
    try:
        yield made
    finally:
        runner.let_go(100)
        made.close()


@contextmanager
def busy(runner: Runner, max_batch: int = 8, max_queue: int = 16) -> Iterator[PredictionQueue]:
    """A queue whose runner is in the middle of a batch, so that new images have to wait."""
    with queue_of(runner, max_batch, max_queue) as made:
        made.submit(runner, images(0), None, LONG)
        runner.wait_for_run()
        runner.runs.clear()
        yield made


def test_what_waits_is_run_together() -> None:
    runner = Runner()
    with busy(runner) as queue:
        replies = [
            queue.submit(runner, images(*part), None, LONG) for part in ([1, 2], [3], [4, 5, 6])
        ]
        runner.let_go(2)
        assert [values(reply) for reply in replies] == [[1, 2], [3], [4, 5, 6]]
    assert runner.runs == [(None, 6)]


def test_images_are_counted_and_not_requests() -> None:
    runner = Runner()
    with busy(runner, max_batch=4) as queue:
        parts = ([1, 2, 3], [4, 5], [6, 7], [8])
        replies = [queue.submit(runner, images(*part), None, LONG) for part in parts]
        runner.let_go(4)
        assert [values(reply) for reply in replies] == [list(part) for part in parts]
    assert runner.runs == [(None, 3), (None, 4), (None, 1)]


def test_a_large_request_is_run_in_parts_by_one_version() -> None:
    runner = Runner()
    with queue_of(runner, max_batch=4) as queue:
        reply = queue.submit(runner, images(*range(10)), None, LONG)
        runner.wait_for_run()
        runner.let_go()
        runner.wait_for_run()
        runner.served = 2
        runner.let_go(2)
        assert values(reply) == list(range(10))
        assert reply.result().version == 1
    assert runner.runs == [(None, 4), (1, 4), (1, 2)]


def test_versions_are_not_mixed() -> None:
    runner = Runner()
    with busy(runner) as queue:
        versions = [None, None, 3, 3, None]
        replies = [queue.submit(runner, images(n), v, LONG) for n, v in enumerate(versions)]
        runner.let_go(4)
        assert [reply.result(LONG).version for reply in replies] == [1, 1, 3, 3, 1]
    assert runner.runs == [(None, 2), (3, 2), (None, 1)]


def test_a_full_queue_refuses() -> None:
    runner = Runner()
    with busy(runner, max_queue=4) as queue:
        replies = [
            queue.submit(runner, images(1, 2, 3), None, LONG),
            queue.submit(runner, images(4), None, LONG),
        ]
        with pytest.raises(QueueFull, match="4 images are waiting already") as refused:
            queue.submit(runner, images(5), None, LONG)
        assert refused.value.retry_after == 1
        runner.let_go(2)
        wait(replies, LONG)


def test_a_request_larger_than_the_queue_is_let_in_alone() -> None:
    runner = Runner()
    with busy(runner, max_batch=8, max_queue=2) as queue:
        reply = queue.submit(runner, images(1, 2, 3), None, LONG)
        with pytest.raises(QueueFull):
            queue.submit(runner, images(4), None, LONG)
        runner.let_go(2)
        assert values(reply) == [1, 2, 3]


def test_who_waited_too_long_is_not_run() -> None:
    runner = Runner()
    with busy(runner) as queue:
        late, other = (
            queue.submit(runner, images(1), None, -1.0),
            queue.submit(runner, images(2), None, LONG),
        )
        runner.let_go(2)
        assert values(other) == [2]
        with pytest.raises(DeadlinePassed):
            late.result(LONG)
    assert runner.runs == [(None, 1)]


def test_who_left_is_not_run() -> None:
    runner, metrics = Runner(), Metrics()
    with queue_of(runner, metrics=metrics) as queue:
        queue.submit(runner, images(0), None, LONG)
        runner.wait_for_run()
        gone, other = (
            queue.submit(runner, images(1), None, LONG),
            queue.submit(runner, images(2), None, LONG),
        )
        assert metrics.registry.get_sample_value("rn_queue_images") == 2
        assert gone.cancel()
        runner.let_go(2)
        assert values(other) == [2]
        assert metrics.registry.get_sample_value("rn_queue_images") == 0
    assert runner.runs == [(None, 1), (None, 1)]


def test_an_error_is_told_to_all_and_does_not_stop_the_runner() -> None:
    runner = Runner()
    with busy(runner) as queue:
        replies = [queue.submit(runner, images(n), None, LONG) for n in range(3)]
        runner.error = RuntimeError("broken")
        runner.let_go(2)
        for reply in replies:
            with pytest.raises(RuntimeError, match="broken"):
                reply.result(LONG)
        runner.error = None
        runner.let_go()
        assert values(queue.submit(runner, images(7), None, LONG)) == [7]


def test_images_that_do_not_fit_together_do_not_stop_the_runner() -> None:
    runner = Runner()
    with busy(runner) as queue:
        odd = np.zeros((1, 2, 1, 1), np.uint8)
        replies = [
            queue.submit(runner, images(1), None, LONG),
            queue.submit(runner, odd, None, LONG),
        ]
        runner.let_go()
        for reply in replies:
            with pytest.raises(ValueError, match="dimensions"):
                reply.result(LONG)
        runner.let_go()
        assert values(queue.submit(runner, images(7), None, LONG)) == [7]


def test_close_answers_what_is_queued_and_takes_nothing_more() -> None:
    runner = Runner()
    queue = PredictionQueue(Metrics(), 2, 16)
    replies = [queue.submit(runner, images(n), None, LONG) for n in range(5)]
    runner.wait_for_run()
    closing = threading.Thread(target=queue.close)
    closing.start()
    runner.let_go(5)
    closing.join(LONG)
    assert not closing.is_alive()
    assert [values(reply) for reply in replies] == [[0], [1], [2], [3], [4]]
    with pytest.raises(ShuttingDown):
        queue.submit(runner, images(1), None, LONG)


def test_batches_are_measured() -> None:
    metrics, runner = Metrics(), Runner()
    with queue_of(runner, metrics=metrics) as queue:
        runner.let_go()
        values(queue.submit(runner, images(1, 2, 3), None, LONG))
    value = metrics.registry.get_sample_value
    assert value("rn_predict_batch_images_sum") == 3
    for stage in ("queue", "infer"):
        assert value("rn_predict_stage_seconds_count", {"stage": stage}) == 1


def test_models_are_run_apart() -> None:
    runner, other = Runner(), Runner()
    with busy(runner) as queue:
        replies = [queue.submit(runner, images(1), None, LONG)]
        replies += [queue.submit(other, images(n), None, LONG) for n in (2, 3)]
        runner.let_go(2)
        other.let_go()
        assert [values(reply) for reply in replies] == [[1], [2], [3]]
    assert (runner.runs, other.runs) == ([(None, 1)], [(None, 2)])

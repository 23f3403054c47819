import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import pytest

from bundle import Pixels
from service.errors import DeadlinePassed, InvalidContent, QueueFull, ShuttingDown
from service.inference.engine import Engine
from service.inference.jobs import Work
from service.inference.queue import Limits
from service.monitoring.metrics import Metrics
from tests.service.inference.engines import (
    LONG,
    Network,
    Target,
    admitted,
    busy,
    engine_of,
    images,
    submit,
    values,
)


def test_what_waits_is_run_together() -> None:
    target = Target()
    with busy(target) as engine:
        replies = [submit(engine, target.work(*part)) for part in ([1, 2], [3], [4, 5, 6])]
        target.let_go(2)
        assert [values(reply) for reply in replies] == [[1, 2], [3], [4, 5, 6]]
    assert target.runs == [(1, [1, 2, 3, 4, 5, 6])]


def test_images_are_counted_and_not_requests() -> None:
    target = Target(max_batch=4)
    with busy(target) as engine:
        parts = ([1, 2, 3], [4, 5], [6, 7], [8])
        replies = [submit(engine, target.work(*part)) for part in parts]
        target.let_go(4)
        assert [values(reply) for reply in replies] == [list(part) for part in parts]
    assert target.runs == [(1, [1, 2, 3, 4]), (1, [5, 6, 7, 8])]


def test_a_large_request_is_run_in_parts_by_one_version() -> None:
    target = Target(max_batch=4)
    with engine_of(target) as engine:
        reply = submit(engine, target.work(*range(10)))
        target.wait_for_run()
        target.served = Network(2, target)
        target.let_go(3)
        assert values(reply) == list(range(10))
        assert reply.result().version == 1
    assert [(version, len(run)) for version, run in target.runs] == [(1, 4), (1, 4), (1, 2)]


def test_parts_are_run_by_several_workers_and_answered_in_order() -> None:
    target = Target(max_batch=1)
    with engine_of(target, workers=3) as engine:
        reply = submit(engine, target.work(*range(3)))
        for _ in range(3):
            # All are under way together, or this would wait for ever.
            target.wait_for_run()
        target.let_go(3)
        assert values(reply) == [0, 1, 2]


def test_versions_are_not_mixed() -> None:
    target = Target()
    with busy(target) as engine:
        versions = [None, None, 3, 3, None]
        replies = [submit(engine, target.work(n, version=v)) for n, v in enumerate(versions)]
        target.let_go(4)
        assert [reply.result(LONG).version for reply in replies] == [1, 1, 3, 3, 1]
    assert target.runs == [(1, [0, 1]), (3, [2, 3]), (1, [4])]


def test_targets_are_not_mixed() -> None:
    target, other = Target(), Target()
    other.let_go(1)
    with busy(target) as engine:
        replies = [submit(engine, of.work(n)) for n, of in enumerate((target, other, target))]
        target.let_go(3)
        assert [values(reply) for reply in replies] == [[0], [1], [2]]
    assert (target.runs, other.runs) == ([(1, [0]), (1, [2])], [(1, [1])])


def test_a_new_version_answers_what_was_queued_before() -> None:
    target = Target()
    with busy(target) as engine:
        reply = submit(engine, target.work(1))
        target.served = Network(2, target)
        target.let_go(2)
        assert reply.result(LONG).version == 2


def test_a_small_request_overtakes_a_large_one() -> None:
    target = Target(max_batch=4)
    with busy(target, max_queue=64) as engine:
        large, small = submit(engine, target.work(*range(32))), submit(engine, target.work(99))
        target.let_go(10)
        assert values(small) == [99]
        assert values(large) == list(range(32))
    place = next(number for number, (_, run) in enumerate(target.runs) if 99 in run)
    assert place == 2


def test_a_full_queue_refuses() -> None:
    target = Target()
    with busy(target, max_queue=4) as engine:
        replies = [submit(engine, target.work(1, 2, 3)), submit(engine, target.work(4))]
        with pytest.raises(
            QueueFull, match="4 images are waiting already; the maximum is 4"
        ) as full:
            engine.admit()
        assert full.value.retry_after == 1
        target.let_go(2)
        wait(replies, LONG)
        engine.admit()


def test_who_is_still_read_holds_a_place() -> None:
    target = Target()
    with busy(target, max_queue=4) as engine:
        places = [engine.admit() for _ in range(3)]
        with pytest.raises(QueueFull, match="2 images are waiting already"):
            places[0].hold(3)
        places[0].hold(2)
        with pytest.raises(QueueFull, match="4 images are waiting already"):
            engine.admit()
        places[0].leave()
        engine.admit().hold(2)


def test_a_request_larger_than_the_queue_is_admitted_alone() -> None:
    target = Target()
    with busy(target, max_queue=2) as engine:
        reply = submit(engine, target.work(1, 2, 3))
        with pytest.raises(QueueFull):
            engine.admit()
        target.let_go(2)
        assert values(reply) == [1, 2, 3]


def test_who_would_wait_too_long_is_refused_at_once() -> None:
    target = Target(max_batch=1)
    with engine_of(target, wait=1e-9, max_queue=100) as engine:
        first = submit(engine, target.work(0))
        target.wait_for_run()
        target.let_go()
        values(first)
        # The time per image is known now, and an image waits behind another.
        running, waiting = submit(engine, target.work(1)), None
        target.wait_for_run()
        waiting = submit(engine, target.work(2))
        with pytest.raises(QueueFull, match="1 images are waiting already; the next would wait"):
            engine.admit()
        target.let_go(2)
        assert (values(running), values(waiting)) == ([1], [2])
        engine.admit()


def test_who_waited_too_long_is_not_run() -> None:
    target = Target()
    with busy(target) as engine:
        late = submit(engine, target.work(1), arrived=time.monotonic() - 2 * LONG)
        other = submit(engine, target.work(2))
        target.let_go(2)
        assert values(other) == [2]
        with pytest.raises(DeadlinePassed):
            late.result(LONG)
    assert target.runs == [(1, [2])]


def test_who_left_is_not_run() -> None:
    target, metrics = Target(), Metrics()
    with engine_of(target, metrics=metrics) as engine:
        submit(engine, target.work(0))
        target.wait_for_run()
        place, _ = admitted(engine, target.work(1))
        other = submit(engine, target.work(2))
        assert metrics.registry.get_sample_value("rn_queue_images") == 2
        place.leave()
        place.leave()
        assert metrics.registry.get_sample_value("rn_queue_images") == 1
        target.let_go(2)
        assert values(other) == [2]
        assert metrics.registry.get_sample_value("rn_queue_images") == 0
    assert target.runs == [(1, [0]), (1, [2])]


def test_an_image_that_cannot_be_decoded_fails_its_own_request_alone() -> None:
    target = Target()

    def damaged() -> None:
        raise InvalidContent("image 0 is damaged")

    with busy(target) as engine:
        works = [target.work(1), target.work(2, decode=damaged), target.work(3)]
        replies = [submit(engine, work) for work in works]
        target.let_go(2)
        assert (values(replies[0]), values(replies[2])) == ([1], [3])
        with pytest.raises(InvalidContent, match="is damaged"):
            replies[1].result(LONG)
    assert target.runs == [(1, [1, 3])]


def test_a_request_that_failed_is_not_run_further() -> None:
    target, metrics = Target(max_batch=1), Metrics()

    def decode(start: int, stop: int) -> Pixels:
        if start == 1:
            raise InvalidContent("image 1 is damaged")
        return images(*range(start, stop))

    with engine_of(target, metrics=metrics) as engine:
        target.let_go(1)
        reply = submit(engine, Work(target, None, 10, decode))
        with pytest.raises(InvalidContent):
            reply.result(LONG)
        assert metrics.registry.get_sample_value("rn_queue_images") == 0
    assert target.runs == [(1, [0])]


def test_an_error_of_the_network_is_reported_to_all_and_does_not_stop_the_worker() -> None:
    target = Target()
    with busy(target) as engine:
        replies = [submit(engine, target.work(n)) for n in range(3)]
        target.error = RuntimeError("broken")
        target.let_go(2)
        for reply in replies:
            with pytest.raises(RuntimeError, match="broken"):
                reply.result(LONG)
        target.error = None
        target.let_go()
        assert values(submit(engine, target.work(7))) == [7]


def test_a_version_that_cannot_be_built_does_not_stop_the_worker() -> None:
    class Broken(Target):
        def get(self, version: int | None) -> Network:
            raise OSError("no such version")

    target, broken = Target(), Broken()
    with engine_of(target) as engine:
        reply = submit(engine, broken.work(1, version=5))
        with pytest.raises(OSError, match="no such version"):
            reply.result(LONG)
        target.let_go()
        assert values(submit(engine, target.work(7))) == [7]


def test_an_image_is_decoded_by_the_thread_that_runs_it() -> None:
    target, decoders, runners = Target(max_batch=1), [], []

    class Here(Network):
        def probabilities(self, pixels: Pixels) -> np.ndarray:
            runners.append((int(pixels[0, 0, 0, 0]), threading.get_ident()))
            return super().probabilities(pixels)

    def decode(start: int, stop: int) -> Pixels:
        decoders.append((start, threading.get_ident()))
        return images(*range(start, stop))

    target.served = Here(1, target)
    with engine_of(target, workers=2) as engine:
        target.let_go(10)
        values(submit(engine, Work(target, None, 10, decode)))
    assert sorted(decoders) == sorted(runners)
    assert threading.get_ident() not in {thread for _, thread in decoders}


def test_one_worker_runs_what_others_decoded() -> None:
    target = Target(max_batch=4, gathers=True)
    decoded = threading.Semaphore(0)
    with engine_of(target, workers=3, max_queue=64) as engine:
        first = submit(engine, target.work(0))
        target.wait_for_run()
        works = [target.work(n, decode=decoded.release) for n in range(1, 7)]
        replies = [submit(engine, work) for work in works]
        # While one worker runs the first image, the others decode the rest.
        for _ in works:
            assert decoded.acquire(timeout=LONG)
        target.let_go(3)
        assert [values(reply) for reply in (first, *replies)] == [[n] for n in range(7)]
    runs = [run for _, run in target.runs]
    assert runs[0] == [0]
    assert sorted(value for run in runs for value in run) == list(range(7))
    assert max(map(len, runs)) <= 4


def test_what_is_decoded_waits_in_a_bounded_space() -> None:
    target, decoded = Target(max_batch=1, gathers=True), threading.Semaphore(0)
    with engine_of(target, workers=2, max_queue=64) as engine:
        works = [target.work(n, decode=decoded.release) for n in range(10)]
        replies = [submit(engine, work) for work in works]
        target.wait_for_run()
        # One is running, two wait, and one is in the hands of the worker that waits for space.
        for _ in range(4):
            assert decoded.acquire(timeout=LONG)
        assert not decoded.acquire(blocking=False)
        target.let_go(10)
        assert [values(reply) for reply in replies] == [[n] for n in range(10)]


def test_idle_is_when_nothing_waits() -> None:
    target = Target()
    with busy(target) as engine, ThreadPoolExecutor(1) as threads:
        engine.wait_until_idle(LONG)
        place, _ = admitted(engine, target.work(1))
        engine.wait_until_idle(0)
        idle = threads.submit(engine.wait_until_idle, LONG)
        assert not idle.done()
        place.leave()
        idle.result(LONG)


def test_close_answers_what_is_queued_and_takes_nothing_more() -> None:
    target = Target(max_batch=1)
    engine = Engine(1, Limits(16, LONG, LONG), Metrics())
    replies = [submit(engine, target.work(n)) for n in range(5)]
    late = engine.admit()
    target.wait_for_run()
    closing = threading.Thread(target=engine.close)
    closing.start()
    target.let_go(5)
    closing.join(LONG)
    assert not closing.is_alive()
    assert [values(reply) for reply in replies] == [[0], [1], [2], [3], [4]]
    with pytest.raises(ShuttingDown):
        engine.admit()
    with pytest.raises(ShuttingDown):
        late.submit(target.work(1))


def test_batches_are_measured() -> None:
    metrics, target = Metrics(), Target(max_batch=2)
    with engine_of(target, metrics=metrics) as engine:
        target.let_go(2)
        values(submit(engine, target.work(1, 2, 3)))
    value = metrics.registry.get_sample_value
    assert value("rn_predict_batch_images_sum") == 3
    assert value("rn_predict_batch_images_count") == 2
    for stage in ("queue", "preprocess", "infer"):
        assert value("rn_predict_stage_seconds_count", {"stage": stage}) == 1

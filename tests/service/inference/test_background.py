import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from service.inference.background import NICENESS, Background
from service.inference.engine import Engine
from tests.service.inference.engines import LONG, Target, busy, submit, values


@contextmanager
def behind(engine: Engine, patience: float = LONG) -> Iterator[Background]:
    made = Background(engine.wait_until_idle, patience)
    try:
        yield made
    finally:
        made.close()


def wait_for_piece(background: Background) -> None:
    pause = threading.Event()
    while not background.waiting:
        pause.wait(0.001)


def test_a_piece_waits_until_no_prediction_waits() -> None:
    target, order = Target(), []
    with busy(target) as engine, behind(engine) as background, ThreadPoolExecutor(1) as threads:
        # One image is run and none waits, so that a piece may use what the prediction leaves.
        assert background.run(lambda: "at once") == "at once"
        reply = submit(engine, target.work(1))
        reply.add_done_callback(lambda _: order.append("prediction"))
        piece = threads.submit(background.run, lambda: order.append("piece"))
        wait_for_piece(background)
        assert not piece.done()
        target.let_go(1)
        piece.result(LONG)
        target.let_go(1)
        assert values(reply) == [1]
    assert order == ["piece", "prediction"]
    assert background.done == 2


def test_under_constant_load_a_piece_is_run_in_the_end() -> None:
    target = Target()
    with busy(target) as engine, behind(engine, patience=0.01) as background:
        submit(engine, target.work(1))
        assert background.run(lambda: "run") == "run"
        assert target.runs == []


def test_nothing_waits_while_a_change_by_hand_does() -> None:
    target = Target()
    with busy(target) as engine, behind(engine) as background, ThreadPoolExecutor(1) as threads:
        submit(engine, target.work(1))
        line, other = background.line(), background.line()
        piece = threads.submit(line.run, lambda: "run")
        wait_for_piece(background)
        with other.urgent():
            assert background.waiting == 1
        with line.urgent():
            assert piece.result(LONG) == "run"
        # It was run by whoever wanted it, at the priority of predictions.
        assert background.done == 0


def test_errors_of_a_piece_are_raised() -> None:
    def broken() -> None:
        raise ValueError("broken")

    with (
        busy(Target()) as engine,
        behind(engine) as background,
        pytest.raises(ValueError, match="broken"),
    ):
        background.run(broken)


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
def test_pieces_have_a_low_priority() -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = niceness()
    with busy(Target()) as engine, behind(engine) as background:
        assert background.run(niceness) == before + NICENESS > before
    assert niceness() == before


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
@pytest.mark.parametrize(("given", "expected"), [(0, 10), (5, 15), (15, 19), (19, 19)])
def test_a_service_that_is_nice_itself_still_adapts(given: int, expected: int) -> None:
    code = (
        "import os, threading\n"
        "from service.inference.background import _lower_priority\n"
        f"os.setpriority(os.PRIO_PROCESS, 0, {given})\n"
        "_lower_priority()\n"
        "print(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(found.stdout) == expected

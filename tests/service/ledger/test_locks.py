"""One writer per target at a time, in whatever process."""

import multiprocessing
import threading
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from service.errors import LedgerError
from service.ledger.ledger import Ledger


def hold(url: str, held: Event, done: Event) -> None:
    """Hold the lock of target 1 until told to let go."""
    with Ledger(url).locks.hold(1):
        held.set()
        done.wait()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ledger.sqlite"


def test_another_process_waits_and_a_dead_one_lets_go(
    url: str,
) -> None:
    context = multiprocessing.get_context("spawn")
    held, done = context.Event(), context.Event()
    process = context.Process(target=hold, args=(url, held, done))
    process.start()
    assert held.wait(60)
    ledger = Ledger(url)
    with (
        pytest.raises(LedgerError, match="changing the ledger for too long"),
        ledger.locks.hold(1, wait_seconds=0.05),
    ):
        raise AssertionError
    with ledger.locks.hold(2):
        pass
    process.kill()
    process.join()
    with ledger.locks.hold(1):
        pass
    ledger.close()


def test_a_thread_may_hold_it_twice_and_others_wait(url: str) -> None:
    ledger, order = Ledger(url), list[str]()

    def other() -> None:
        with ledger.locks.hold(1):
            order.append("other")

    with ledger.locks.hold(1):
        thread = threading.Thread(target=other)
        thread.start()
        with ledger.locks.hold(1):
            order.append("inner")
        order.append("outer")
    thread.join()
    assert order == ["inner", "outer", "other"]
    ledger.close()

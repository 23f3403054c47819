import os
import pty
import signal
import threading

import pytest
import torch

from rn_model.training.processes.interruption import Interruption

CPU = torch.device("cpu")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_noted_and_the_second_stops(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Interruption() as interruption:
        assert not interruption.due(CPU)
        os.kill(os.getpid(), number)
        assert interruption.due(CPU)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before


def test_other_threads_leave_signals_alone() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def enter() -> None:
        with Interruption() as interruption:
            seen.extend([signal.getsignal(signal.SIGINT), interruption.due(CPU)])

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [before, False]


@pytest.mark.parametrize("acknowledge", [True, False])
def test_the_first_signal_is_acknowledged_on_a_terminal(acknowledge: bool) -> None:
    leader, follower = pty.openpty()
    old = os.dup(2)
    os.dup2(follower, 2)
    try:
        with Interruption(acknowledge=acknowledge):
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        os.dup2(old, 2)
        os.close(old)
    os.write(follower, b"end\n")
    told = os.read(leader, 1000).decode()
    os.close(leader)
    os.close(follower)
    assert ("stopping after writing a checkpoint" in told) == acknowledge

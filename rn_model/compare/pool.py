"""Processes that train jobs, and what becomes of each."""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, NamedTuple, Self

from rn_model.compare.jobs import Job
from rn_model.compare.worker import order
from rn_model.training.errors import TrainingError

_POLL = 0.2


class Outcome(NamedTuple):
    """What became of a job; ``line`` says why it is not done."""

    job: Job
    status: Literal["done", "failed", "interrupted"]
    line: str = ""


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    requests: IO[bytes]
    answers: IO[bytes]
    job: Job | None = None
    ready: bool = False


class Pool:
    """Trains jobs in processes of their own, which end with the block.

    Args:
        size: processes at once.
        out: folder of the grid.
        lock: descriptor of a locked file that stays locked as long as one of the processes runs.
        report, keep_checkpoints: as of :func:`rn_model.compare.worker.order`.
    """

    def __init__(
        self, size: int, out: Path, lock: int, *, report: bool, keep_checkpoints: bool
    ) -> None:
        self._size = size
        self._out = out
        self._lock = lock
        self._options = {"report": report, "keep_checkpoints": keep_checkpoints}
        self._workers: list[_Worker] = []
        self._stopping = False
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in list(self._workers):
            if worker.job is not None:
                worker.process.kill()
            self._dismiss(worker)
        self._selector.close()

    @property
    def busy(self) -> int:
        """Jobs that are being done."""
        return sum(worker.job is not None for worker in self._workers)

    def submit(self, job: Job) -> bool:
        """Give a job to a process that has none; False if all are busy."""
        free = next((worker for worker in self._workers if worker.job is None), None)
        if free is None and len(self._workers) < self._size:
            free = self._start()
        if free is None:
            return False
        free.job = job
        if free.ready:
            self._send(free)
        return True

    def wait(self) -> list[Outcome]:
        """The jobs that came to an end; perhaps none, after a moment."""
        outcomes: list[Outcome] = []
        for key, _ in self._selector.select(_POLL):
            worker: _Worker = key.data
            line = worker.answers.readline()
            if not line:
                outcomes += self._lost(worker)
                continue
            answer = json.loads(line)
            if answer["status"] == "ready":
                worker.ready = True
                if worker.job is not None:
                    self._send(worker)
            elif worker.job is not None:
                outcomes.append(Outcome(worker.job, answer["status"], answer["line"]))
                worker.job = None
        return outcomes

    def stop(self) -> list[Outcome]:
        """Ask all processes to stop after the step they are in; the jobs that had not begun."""
        self._stopping = True
        waiting: list[Outcome] = []
        for worker in list(self._workers):
            if worker.ready and worker.job is not None:
                worker.process.send_signal(signal.SIGINT)
            else:
                if worker.job is not None:
                    waiting.append(Outcome(worker.job, "interrupted"))
                    worker.process.kill()
                self._dismiss(worker)
        return waiting

    def _start(self) -> _Worker:
        # In a session of its own, a Ctrl-C on the terminal reaches it only through stop().
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "rn_model.compare.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            pass_fds=(self._lock,),
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert process.stdin is not None and process.stdout is not None
        worker = _Worker(process, process.stdin, process.stdout)
        self._workers.append(worker)
        self._selector.register(worker.answers, selectors.EVENT_READ, worker)
        return worker

    def _send(self, worker: _Worker) -> None:
        assert worker.job is not None
        with contextlib.suppress(BrokenPipeError):  # its end is noticed on the other pipe
            worker.requests.write(f"{order(worker.job, self._out, **self._options)}\n".encode())
            worker.requests.flush()

    def _lost(self, worker: _Worker) -> list[Outcome]:
        job = worker.job
        code = self._dismiss(worker)
        if job is None:
            return []
        if self._stopping:
            return [Outcome(job, "interrupted")]
        if not worker.ready:
            raise TrainingError(f"a process to train in could not start: it ended with {code}")
        why = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        hint = "; is there enough memory?" if code == -signal.SIGKILL else ""
        return [Outcome(job, "failed", f"its process ended with {why}{hint}")]

    def _dismiss(self, worker: _Worker) -> int:
        self._workers.remove(worker)
        self._selector.unregister(worker.answers)
        with contextlib.suppress(BrokenPipeError):
            worker.requests.close()
        worker.answers.close()
        return worker.process.wait()

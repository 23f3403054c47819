"""A pool of worker processes that run jobs."""

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
    """Outcome of a job; ``line`` gives the reason if it is not done."""

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
    """Runs jobs in worker processes, which end with the block.

    Args:
        size: maximum number of processes.
        out: directory of the comparison.
        lock: descriptor of a locked file, which stays locked while any of the processes runs.
        report: whether to write an HTML report of each run.
        keep_checkpoints: whether to keep the checkpoints of finished runs.
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
        """Number of jobs that are running."""
        return sum(worker.job is not None for worker in self._workers)

    def submit(self, job: Job) -> bool:
        """Give a job to an idle process; return False if all are busy."""
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
        """Wait briefly for jobs to end; return those that have ended, possibly none."""
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
        """Ask all processes to stop after their current step; return the jobs that had not started."""
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
        # In its own session, so that Ctrl-C on the terminal reaches the worker only through stop().
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
        # If the process has ended, the other pipe shows it.
        with contextlib.suppress(BrokenPipeError):
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
            raise TrainingError(f"a worker process failed to start: exit code {code}")
        why = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        hint = "; is there enough memory?" if code == -signal.SIGKILL else ""
        return [Outcome(job, "failed", f"its worker process ended with {why}{hint}")]

    def _dismiss(self, worker: _Worker) -> int:
        self._workers.remove(worker)
        self._selector.unregister(worker.answers)
        with contextlib.suppress(BrokenPipeError):
            worker.requests.close()
        worker.answers.close()
        return worker.process.wait()

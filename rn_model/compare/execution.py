"""Execution of the unfinished jobs of a grid, several at once."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from rn_model.compare.folder import locked, read_failures, write_failures
from rn_model.compare.jobs import Job
from rn_model.compare.pool import Outcome, Pool
from rn_model.training.errors import Interrupted
from rn_model.training.processes.interruption import Interruption
from rn_model.training.result import Result


@dataclass(frozen=True)
class Options:
    """Options for running jobs.

    Attributes:
        processes: number of runs at once, each in a process with one CPU thread.
        reports: whether to write an HTML report of each run.
        keep_checkpoints: whether to keep the checkpoints of finished runs.
    """

    processes: int = 1
    reports: bool = False
    keep_checkpoints: bool = False


def select(jobs: Sequence[Job], only: str) -> list[Job]:
    """Select the cells whose path contains ``only``, and the jobs that they depend on."""
    cells = [job for job in jobs if job.kind == "cell" and only in job.path]
    needed = {job.after for job in cells}
    return [job for job in jobs if job in cells or job.path in needed]


def run_jobs(jobs: Sequence[Job], out: Path, options: Options, console: Console) -> None:
    """Run the unfinished jobs; a failed job does not stop the others.

    Args:
        jobs: jobs in the order in which to run them, as far as their dependencies allow.
        out: directory of the comparison.
        options: number of processes, reports and checkpoints.
        console: terminal for a line per finished job.

    Raises:
        TrainingError: if another comparison runs in the directory.
        Interrupted: if SIGINT or SIGTERM arrived; running the same again continues.
    """
    execution = _Execution(jobs, out, console)
    with (
        locked(out) as lock,
        Interruption() as interruption,
        Pool(
            options.processes,
            out,
            lock,
            report=options.reports,
            keep_checkpoints=options.keep_checkpoints,
        ) as pool,
    ):
        execution.run(pool, interruption)


class _Execution:
    def __init__(self, jobs: Sequence[Job], out: Path, console: Console) -> None:
        self._out = out
        self._console = console
        self._done = {job.path for job in jobs if (out / job.path / job.product).is_file()}
        needed = {job.after for job in jobs if job.path not in self._done}
        self._pending = [
            job
            for job in jobs
            if job.path not in self._done and (job.kind == "cell" or job.path in needed)
        ]
        self._cells = sum(job.kind == "cell" for job in jobs)
        self._ended = sum(job.kind == "cell" and job.path in self._done for job in jobs)
        self._before = self._ended
        self._failures = read_failures(out)
        self._began = time.monotonic()

    def run(self, pool: Pool, interruption: Interruption) -> None:
        stopping = False
        while pool.busy or (self._pending and not stopping):
            if interruption.requested and not stopping:
                stopping = True
                self._say("stopping after the current steps; interrupt again to stop immediately")
                for outcome in pool.stop():
                    self._settle(outcome)
            if not stopping:
                self._submit(pool)
            for outcome in pool.wait() if pool.busy else []:
                self._settle(outcome)
        if stopping:
            raise Interrupted(f"stopped after {self._ended} of {self._cells} runs")

    def _submit(self, pool: Pool) -> None:
        for job in list(self._pending):
            if job.after in self._failures and job.after not in self._done:
                self._pending.remove(job)
                self._settle(Outcome(job, "failed", f"{job.after} failed"))
            elif job.after is None or job.after in self._done:
                if not pool.submit(job):
                    return
                self._pending.remove(job)
                self._failures.pop(job.path, None)

    def _settle(self, outcome: Outcome) -> None:
        job, status, line = outcome
        if status == "interrupted":
            return
        if status == "failed":
            self._failures[job.path] = line
        else:
            self._done.add(job.path)
        if self._failures or read_failures(self._out):
            write_failures(self._out, self._failures)
        if job.kind == "cell":
            self._ended += 1
        text = f"failed: {line}" if status == "failed" else self._measured(job)
        self._say(f"{self._ended:>{len(str(self._cells))}}/{self._cells}  {job.path}  {text}")

    def _measured(self, job: Job) -> str:
        result = Result.read(self._out / job.path) if job.kind == "cell" else None
        if result is None:
            return "trained on the source"
        accuracy = result.oracle_target_accuracy
        oracle = "" if accuracy is None else f"oracle {accuracy:.1%}, "
        return f"{oracle}{result.seconds:.1f} s; {self._rate()}"

    def _rate(self) -> str:
        seconds = time.monotonic() - self._began
        each = seconds / max(1, self._ended - self._before)
        left = round(each * (self._cells - self._ended))
        minutes, rest = divmod(left, 60)
        shown = f"{minutes} min" if minutes else f"{rest} s"
        return f"{3600 / each:,.0f} runs per hour, {shown} left"

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

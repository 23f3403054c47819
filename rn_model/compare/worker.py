"""A worker process that runs one job after another: ``python -m rn_model.compare.worker``.

It reads one job per line of its standard input and answers each with one line, both in JSON. It exits
at the end of its input. SIGINT and SIGTERM stop it after the current step.
"""

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from bundle.text import describe_error
from rn_model.compare.jobs import Job


def order(job: Job, out: Path, *, report: bool, keep_checkpoints: bool) -> str:
    """Encode a job as one line for a worker.

    Args:
        job: job to run.
        out: directory of the comparison.
        report: whether to write an HTML report of the run.
        keep_checkpoints: whether to keep the checkpoint of a finished run.
    """
    return json.dumps(
        {
            "kind": job.kind,
            "config": job.config.model_dump(mode="json"),
            "base": str(job.base),
            "out": str((out / job.path).absolute()),
            "report": report,
            "keep_checkpoints": keep_checkpoints,
        }
    )


def main() -> None:
    """Run jobs until the input ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # output of libraries must not be mistaken for an answer
    try:
        import torch

        # Many small trainings at once are faster with one thread each.
        torch.set_num_threads(1)
        _answer(answers, {"status": "ready"})
        for line in sys.stdin:
            _answer(answers, _work(json.loads(line)))
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(130)


def _work(order: dict[str, Any]) -> dict[str, str]:
    from rn_model.training.errors import Interrupted

    try:
        _train(order)
    except (Interrupted, KeyboardInterrupt) as error:
        return {"status": "interrupted", "line": str(error)}
    except ValueError as error:
        return {"status": "failed", "line": describe_error(error)}
    except Exception as error:
        traceback.print_exc()
        return {"status": "failed", "line": describe_error(error, kind=True)}
    return {"status": "done", "line": ""}


def _train(order: dict[str, Any]) -> None:
    from rn_model.training.config import RunConfig
    from rn_model.training.records.checkpoint import FILE
    from rn_model.training.run import train, train_source

    config = RunConfig.model_validate(order["config"])
    base, out = Path(order["base"]), Path(order["out"])
    if order["kind"] == "source":
        train_source(config, out, base=base, resume=True)
    else:
        train(config, out, base=base, resume=True, tensorboard=False)
        if order["report"]:
            from rn_model.report import write_report

            write_report(out)
    if not order["keep_checkpoints"]:
        (out / FILE).unlink(missing_ok=True)


def _answer(answers: TextIO, answer: dict[str, str]) -> None:
    answers.write(f"{json.dumps(answer)}\n")
    answers.flush()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()

"""Run directories without training: a small network with invented statistics."""

from pathlib import Path

from torch import nn

from bundle import Pixels
from rn_model.runs.record import Run, RunRecord, fingerprint, save_run
from rn_model.runs.rows import Row
from tests.networks import SMALL, small_model


def write_small_run(path: Path, target: Pixels | None, model: nn.Module | None = None) -> None:
    """Save a model, :func:`tests.networks.small_model` if none is given, as ``rn adapt`` saves one."""
    row = Row(
        name="rn",
        oracle_target_accuracy=None,
        source_accuracy=0.9,
        information=0.5,
        nuclear_norm=0.5,
        seconds=None,
    )
    record = RunRecord(
        factory="tests.networks:SmallNet",
        factory_arguments={},
        classes=list(SMALL.classes),
        preprocessing=SMALL.preprocessing,
        model="rn",
        results=[row],
        config={},
        seed=0,
        fingerprints={} if target is None else {"target": fingerprint(target)},
    )
    save_run(path, Run(model or small_model(), record, target))

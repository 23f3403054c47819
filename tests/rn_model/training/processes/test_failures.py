import pytest
import torch
from lightning_fabric import Fabric

from rn_model.data import DataError
from rn_model.training.errors import LocalError, TrainingError
from rn_model.training.processes.failures import explained_failures, on_first


def test_one_process_alone_is_the_first() -> None:
    fabric = Fabric(accelerator="cpu", devices=1)
    done: list[int] = []
    on_first(fabric, lambda: done.append(1))
    assert done == [1]

    def fail() -> None:
        raise TrainingError("no room")

    with pytest.raises(TrainingError, match="no room"):
        on_first(fabric, fail)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (DataError("cannot read the image a.png: broken"), "cannot read the image a.png: broken"),
        (torch.OutOfMemoryError("CUDA out of memory."), "lower training.batch_size"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."), "pid 7"),
    ],
)
def test_failures_of_one_process_are_reported_on_one_line(error: Exception, line: str) -> None:
    with pytest.raises(LocalError) as caught, explained_failures():
        raise error
    assert line in str(caught.value) and "\n" not in str(caught.value)


def test_bugs_are_not_hidden() -> None:
    with pytest.raises(RuntimeError, match="shape") as caught, explained_failures():
        raise RuntimeError("shape mismatch")
    assert not isinstance(caught.value, TrainingError)

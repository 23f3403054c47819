from pathlib import Path
from typing import Any

import pytest
import torch

from rn_model.training.context import open_context
from rn_model.training.evaluation.measurement import Measurement, measure, source_accuracy
from tests.rn_model.training.running import config, tiny, write_arrays


def measured(folder: Path, most: int, **task: Any) -> Measurement:
    changes = {f"task__{name}": value for name, value in task.items()}
    context = open_context(config(tiny(folder, **changes)), folder)
    network = context.new_network(context.config.normalization).eval()
    found = measure(network, context.task, context.reader, most, max_labelled=30)
    assert found.candidate.source_accuracy == source_accuracy(
        network, context.task, context.reader, most
    )
    return found


def same(one: Measurement, other: Measurement) -> None:
    torch.testing.assert_close(vars(one.labelled), vars(other.labelled), rtol=0, atol=0)
    assert one.oracle == other.oracle


@pytest.mark.parametrize("most", [5, 30, 1000])
def test_oracles_are_of_the_same_images(most: int, tmp_path: Path) -> None:
    found = measured(tmp_path, most)
    assert len(found.target.labels) == min(most, 47)
    assert len(found.labelled.labels) == 30
    same(found, measured(tmp_path, 30))


@pytest.mark.parametrize("most", [5, 1000])
def test_a_test_set_is_bounded_like_the_others(most: int, tmp_path: Path) -> None:
    path = write_arrays(tmp_path / "test.npz", 41, seed=5, shift=40)
    found = measured(tmp_path, most, test={"path": str(path)})
    assert len(found.labelled.labels) == min(most, 41)
    assert len(found.target.labels) == min(most, 47)


def test_without_labels_there_is_no_oracle(tmp_path: Path) -> None:
    measured(tmp_path, 5)  # writes the images
    target = {"path": str(tmp_path / "target.npz"), "labels": False}
    found = measured(tmp_path, 5, target=target)
    assert found.oracle is None and found.labelled is found.target

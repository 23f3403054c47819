import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_file_loader import (  # type: ignore[import-untyped]
    EventFileLoader,
)

from rn_model.training.records.tensorboard import EventFile


@contextmanager
def _no_file_larger_than(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _points(folder: Path) -> list[tuple[int, str, float]]:
    return [
        (event.step, value.tag, value.tensor.float_val[0])
        for path in sorted(folder.iterdir())
        for event in EventFileLoader(str(path)).Load()
        for value in event.summary.value
    ]


def test_a_point_can_be_read_as_soon_as_it_is_written(tmp_path: Path) -> None:
    events = EventFile(tmp_path / "logs")
    events.write({"loss": 0.5, "rate": 2.0}, 7)
    assert _points(tmp_path / "logs") == [(7, "loss", 0.5), (7, "rate", 2.0)]
    events.write({"loss": 0.25}, 8)
    events.close()
    assert _points(tmp_path / "logs")[-1] == (8, "loss", 0.25)


def test_a_second_event_file_continues_the_first(tmp_path: Path) -> None:
    for step in (1, 2):
        events = EventFile(tmp_path)
        events.write({"loss": 1.0}, step)
        events.close()
    assert [step for step, *_ in _points(tmp_path)] == [1, 2]


def test_a_full_disk_raises_where_it_occurs_and_keeps_earlier_data(tmp_path: Path) -> None:
    events = EventFile(tmp_path)
    with _no_file_larger_than(2000):
        for step in range(1000):
            try:
                events.write({"loss": 1.0}, step)
            except OSError:
                break
        else:
            pytest.fail("nothing failed")
        events.close()
    assert len(_points(tmp_path)) == step > 10

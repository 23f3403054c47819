"""What is in memory never runs ahead of what is on disk."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.errors import LedgerError
from service.ledger.change import Actor
from service.ledger.records import Page
from service.targets.idempotency import Idempotency
from service.targets.target import OnlineTarget
from tests.service.online_targets import target_of
from tests.service.pictures import flat, noise
from tests.service.running import serving, settings_for

SEEN = noise(5, seed=50)


@contextmanager
def refusing(folder: Path, table: str, operation: str = "INSERT") -> Iterator[None]:
    """Let the database refuse to write to a table."""
    connection = sqlite3.connect(folder / "ledger.sqlite")
    connection.execute(
        f"CREATE TRIGGER full BEFORE {operation} ON {table}"
        " BEGIN SELECT RAISE(ABORT, 'disk full'); END"
    )
    connection.commit()
    yield
    connection.execute("DROP TRIGGER full")
    connection.commit()
    connection.close()


def memory(target: OnlineTarget) -> tuple[Any, ...]:
    """Everything that a batch could change."""
    record = target.record
    return (
        record.revision,
        record.serving,
        record.frozen,
        record.state.moments.to_bytes(),
        record.state.count,
        record.state.pending,
        record.admission,
        target._estimator.memory,
        target.served.served.probabilities(SEEN).tobytes(),
    )


def test_a_batch_that_cannot_be_recorded_changes_nothing(bundle_path: Path, tmp_path: Path) -> None:
    with target_of(bundle_path, tmp_path, commit_every=8) as target:
        target.adapt(list(noise(6, 1)))
        before = memory(target)
        with refusing(tmp_path, "targets", "UPDATE"):
            for change in (
                lambda: target.adapt(list(noise(6, 2)), Idempotency("key", "hash")),
                lambda: target.freeze(False),
                lambda: target.promote(0),
            ):
                with pytest.raises(LedgerError, match="disk full"):
                    change()
                assert memory(target) == before
        result = target.adapt(list(noise(6, 2)), Idempotency("key", "hash"))
        assert (result.admitted, result.serving) == (6, 1)


def test_a_new_domain_that_cannot_be_recorded_is_not_let_in(
    bundle_path: Path, tmp_path: Path
) -> None:
    with target_of(bundle_path, tmp_path) as target:
        assert target.adapt(list(flat(31))).held == 31
        before = memory(target)
        with refusing(tmp_path, "events"), pytest.raises(LedgerError):
            target.adapt(list(flat(1, 2)))
        assert memory(target) == before
        assert target.adapt(list(noise(4))).admitted == 4


def test_a_version_that_cannot_be_recorded_does_not_undo_the_batch(
    bundle_path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    with target_of(bundle_path, tmp_path, commit_every=8) as target:
        says = target.served.served.probabilities(SEEN).tobytes()
        with refusing(tmp_path, "versions"):
            result = target.adapt(list(noise(8, 1)), Idempotency("key", "hash"))
        assert (result.admitted, result.pending, result.made) == (8, 8, None)
        assert target.served.served.probabilities(SEEN).tobytes() == says
        assert target.adapt(list(noise(8, 1)), Idempotency("key", "hash")) == result
        following = target.adapt(list(noise(1, 2)))
        assert following.made is not None
        assert (following.pending, following.serving) == (0, 1)
        assert target.queries.version(1).state.count == 9


def test_a_session_that_cannot_be_built_does_not_undo_the_batch(
    bundle_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise MemoryError

    with target_of(bundle_path, tmp_path, commit_every=8) as target:
        with monkeypatch.context() as patch:
            patch.setattr(target._builder, "build", broken)
            assert target.adapt(list(noise(8, 1))).pending == 8
        assert target.adapt(list(noise(1, 2))).serving == 1
        failed = target._publisher._report._versions.labels("small", "default", "failed")
        assert failed._value.get() == 1


def test_two_processes_do_not_overwrite_each_other(bundle_path: Path, tmp_path: Path) -> None:
    with (
        target_of(bundle_path, tmp_path, commit_every=8) as one,
        target_of(bundle_path, tmp_path, commit_every=8) as other,
    ):
        one.adapt(list(noise(8, 1)))
        # It goes on from what the first one left.
        assert other.adapt(list(noise(4, 2))).serving == 1
        assert other.record.state.count == 12
        one.follow()
        assert memory(one) == memory(other)


def test_stops_work_without_a_ledger(
    bundle_path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    with target_of(bundle_path, tmp_path, commit_every=8) as target:
        says = target.served.served.probabilities(SEEN).tobytes()
        assert target.adapt(list(noise(8, 1))).serving == 1
        with refusing(tmp_path, "targets", "UPDATE"):
            target.freeze(True, Actor("ann", "smoke"))
            target.rollback(None)
            assert (target.record.frozen, target.record.serving, target.unwritten) == (True, 0, 2)
            assert target.served.served.probabilities(SEEN).tobytes() == says
        target.follow()
        assert target.unwritten == 0
    with target_of(bundle_path, tmp_path) as target:
        assert (target.record.frozen, target.record.serving) == (True, 0)
        kinds = [event.kind for event in target.queries.events(Page(10))]
        assert kinds[-2:] == ["frozen", "rolled_back"]


def test_a_ledger_that_is_gone_is_an_answer(bundle_path: Path, tmp_path: Path) -> None:
    with serving(settings_for(bundle_path, tmp_path)) as service:
        service.adapt(noise(4, 1))
        with refusing(tmp_path, "targets", "UPDATE"):
            problem = service.adapt(noise(4, 2), status=503)
            assert "disk full" in problem["detail"] and "\n" not in problem["detail"]
            assert service.predict(SEEN)["version"] == 0
        assert service.adapt(noise(4, 2))["pending"] == 8


def test_old_sessions_are_freed(bundle_path: Path, tmp_path: Path) -> None:
    def resources() -> tuple[int, int]:
        descriptors, threads = Path("/proc/self/fd"), Path("/proc/self/task")
        return len(list(descriptors.iterdir())), len(list(threads.iterdir()))

    with target_of(bundle_path, tmp_path, commit_every=2, threads=2) as target:
        for seed in range(3):
            target.adapt(list(noise(2, seed)))
        before = resources()
        for seed in range(3, 13):
            target.adapt(list(noise(16, seed)))
        after = resources()
        assert target.record.serving == 13
    np.testing.assert_array_less(after, np.array(before) + 2)


def test_metrics_are_answered_without_the_ledger(bundle_path: Path, tmp_path: Path) -> None:
    with serving(settings_for(bundle_path, tmp_path, commit_every=8)) as service:
        service.adapt(noise(8))
        target = service.resources.models.default.targets.default
        target.queries._known.clear()
        connection = sqlite3.connect(tmp_path / "ledger.sqlite")
        for table in ("versions", "snapshots"):
            connection.execute(f"ALTER TABLE {table} RENAME TO no_{table}")
        connection.commit()
        connection.close()
        found = service.metrics()
        assert found["rn_serving_version", "small", "default"] == 1
        assert np.isnan(found["rn_domain_shift", "small", "default"])
        assert service.http.get("/drift").status_code == 503

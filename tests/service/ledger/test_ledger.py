import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundle.moments import FlatMoments
from service.adaptation.state import OnlineState
from service.ledger.ledger import Ledger, LedgerConflict, LedgerError
from service.ledger.records import Receipt, Target, Version, first_version

STATE = OnlineState(FlatMoments(np.array([0.1, 1 / 3]), np.array([1.0, 2.0])), 64.0)
MOVED = OnlineState(FlatMoments(np.array([0.2, 0.3]), np.array([1.5, 2.5])), 71.0, 7)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/deep/ledger.sqlite"


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    opened = Ledger(url)
    yield opened
    opened.close()


def open_target(ledger: Ledger, name: str = "default", bundle: str = "b") -> Target:
    return ledger.open_target(name, bundle, STATE, b"admission")


def version(number: int, state: OnlineState = MOVED) -> Version:
    return replace(
        first_version(state, b"later"),
        number=number,
        parent=number - 1,
        status="published",
        scores={"information": 0.5},
    )


def assert_same(one: Any, other: Any) -> None:
    """Equality of records, whose moments are arrays."""
    assert type(one) is type(other)
    mine, theirs = dict(vars(one)), dict(vars(other))
    states = mine.pop("state"), theirs.pop("state")
    assert mine == theirs
    assert states[0].moments.to_bytes() == states[1].moments.to_bytes()
    assert (states[0].count, states[0].pending) == (states[1].count, states[1].pending)


def rows(ledger: Ledger, url: str, table: str) -> int:
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    connection.close()
    return int(count)


def test_a_new_target_has_version_0(ledger: Ledger) -> None:
    target = open_target(ledger)
    assert_same(target, Target(target.id, "default", 0, 0, False, STATE, b"admission"))
    (only,) = ledger.versions(target)
    assert (only.number, only.parent, only.status) == (0, None, "exported")
    assert only.fingerprint == STATE.moments.fingerprint()
    assert ledger.next_number(target) == 1


def test_opening_again_changes_nothing(ledger: Ledger) -> None:
    target = ledger.record(open_target(ledger), state=MOVED, admission=b"new", frozen=True)
    assert_same(ledger.open_target("default", "b", STATE, b"other"), target)


def test_targets_and_bundles_are_apart(ledger: Ledger) -> None:
    one, two, three = (
        open_target(ledger),
        open_target(ledger, "other"),
        open_target(ledger, bundle="c"),
    )
    assert len({one.id, two.id, three.id}) == 3
    ledger.record(one, version=version(1), receipt=Receipt("key", "hash", {}))
    assert len(ledger.versions(two)) == 1
    assert ledger.receipt(two, "key") is None
    assert ledger.version(three, 1) is None


def test_everything_is_there_after_reopening(ledger: Ledger, url: str) -> None:
    receipt = Receipt("key", "hash", {"admitted": 7})
    target = ledger.record(
        open_target(ledger),
        event="publish",
        detail={"number": 1},
        state=MOVED,
        admission=b"later",
        serving=1,
        frozen=True,
        version=version(1),
        receipt=receipt,
    )
    assert (target.revision, target.serving, target.frozen) == (1, 1, True)
    again = Ledger(url)
    found = open_target(again)
    assert_same(found, target)
    assert again.receipt(found, "key") == receipt
    stored = again.version(found, 1)
    assert stored is not None
    assert_same(stored, replace(version(1), state=MOVED.committed(), created_at=stored.created_at))
    assert [v.number for v in again.versions(found)] == [0, 1]
    assert again.next_number(found) == 2
    assert rows(again, url, "events") == 1
    again.close()


def test_moments_come_back_bit_for_bit(ledger: Ledger) -> None:
    moments = FlatMoments(np.nextafter([0.1, 1e-300], 1), np.array([5e-324, 1.7e308]))
    state = OnlineState(moments, 64.1)
    ledger.record(open_target(ledger), state=state)
    found = open_target(ledger).state
    assert found.moments.to_bytes() == moments.to_bytes()
    assert found.count == 64.1


def test_whoever_comes_second_is_told(ledger: Ledger, url: str) -> None:
    other = Ledger(url)
    mine, theirs = open_target(ledger), open_target(other)
    new = ledger.record(mine, state=MOVED)
    with pytest.raises(LedgerConflict, match="was changed by another process"):
        other.record(
            theirs, event="x", frozen=True, version=version(1), receipt=Receipt("key", "h", {})
        )
    assert_same(open_target(other), new)
    assert other.version(theirs, 1) is None
    assert other.receipt(theirs, "key") is None
    assert rows(other, url, "events") == 0
    other.close()


def test_a_change_is_made_whole_or_not_at_all(ledger: Ledger) -> None:
    target = ledger.record(open_target(ledger), version=version(1))
    with pytest.raises(LedgerError) as failed:
        ledger.record(target, state=MOVED, version=version(1), receipt=Receipt("key", "h", {}))
    assert "\n" not in str(failed.value)
    assert_same(open_target(ledger), target)
    assert ledger.receipt(target, "key") is None


def test_a_receipt_can_be_completed(ledger: Ledger) -> None:
    target = ledger.record(open_target(ledger), receipt=Receipt("key", "hash", {"committed": None}))
    ledger.record(target, receipt=Receipt("key", "hash", {"committed": 1}))
    found = ledger.receipt(target, "key")
    assert found is not None and found.response == {"committed": 1}


def test_only_the_last_receipts_are_kept(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.ledger.ledger.RECEIPTS_KEPT", 2)
    target = open_target(ledger)
    for key in "abc":
        target = ledger.record(target, receipt=Receipt(key, "hash", {}))
    assert [ledger.receipt(target, key) is not None for key in "abc"] == [False, True, True]


def test_an_unknown_key_has_no_receipt(ledger: Ledger) -> None:
    assert ledger.receipt(open_target(ledger), "key") is None


def test_another_schema_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE meta (schema_version INTEGER PRIMARY KEY); INSERT INTO meta VALUES (2)"
    )
    with pytest.raises(LedgerError, match="has schema version 2; this program uses 1"):
        Ledger(f"sqlite:///{path}")
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    connection.close()
    assert tables == [("meta",)]


def test_the_database_survives_a_crash_of_the_machine(ledger: Ledger, url: str) -> None:
    with ledger._engine.connect() as connection:
        pragma = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    full = 2
    assert pragma == {"journal_mode": "wal", "synchronous": full, "foreign_keys": 1}


def _not_a_database(folder: Path) -> str:
    (folder / "file").write_text("this is no database, but long enough to have a header" * 100)
    return f"sqlite:///{folder}/file"


def _below_a_file(folder: Path) -> str:
    (folder / "file").touch()
    return f"sqlite:///{folder}/file/ledger.sqlite"


def _a_directory(folder: Path) -> str:
    return f"sqlite:///{folder}"


@pytest.mark.parametrize("make", [_not_a_database, _below_a_file, _a_directory])
def test_what_cannot_be_opened_is_told_in_one_line(make: Any, tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"^cannot open the ledger sqlite:///\S+: .+$") as failed:
        Ledger(make(tmp_path))
    assert "\n" not in str(failed.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "is not one that SQLAlchemy can read"),
        ("sqlite://", "must be a file"),
        ("sqlite:///:memory:", "must be a file"),
        ("nosuch://user:secret@host/x", "cannot open the ledger nosuch://user:...@host/x"),
        ("postgresql+nosuch://user:secret@host/x", "user:...@host"),
    ],
)
def test_urls_that_cannot_be_used(url: str, message: str) -> None:
    with pytest.raises(LedgerError, match=message) as failed:
        Ledger(url)
    assert "secret" not in str(failed.value)
    assert "\n" not in str(failed.value)

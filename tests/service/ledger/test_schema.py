"""Ledgers of earlier and later programs."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from bundle import load_bundle
from bundle.moments import FlatMoments
from service.adaptation.state import OnlineState
from service.errors import LedgerError
from service.ledger import schema
from service.ledger.ledger import Ledger
from service.ledger.records import Page, Target
from service.ledger.tables import Base
from service.targets.idempotency import Idempotency
from tests.service.online_targets import target_of
from tests.service.pictures import flat

# Written by version 0.1.0: two versions published, an alarm, a version rejected, rollback, promotion,
# freeze, reset, a new domain that makes version 4, and a batch that is pending.
WRITTEN = Path(__file__).parent / "schema_1.sql"
STATE = OnlineState(FlatMoments(np.zeros(9), np.ones(9)), 64.0)
ALL = Page(1000)


def write_old(folder: Path, bundle: str = "BUNDLE") -> Path:
    """A ledger that version 0.1.0 wrote, for the bundle with this fingerprint."""
    path = folder / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(WRITTEN.read_text().replace("BUNDLE", bundle))
    return path


@contextmanager
def migrated(path: Path) -> Iterator[tuple[Ledger, Target]]:
    ledger = Ledger(f"sqlite:///{path}")
    try:
        yield ledger, ledger.open_target("default", "BUNDLE", STATE, b"")
    finally:
        ledger.close()


def query(path: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def test_the_newest_migration_is_the_head() -> None:
    assert ScriptDirectory(str(schema.MIGRATIONS)).get_current_head() == schema.HEAD
    assert schema.REVISIONS[-1] == schema.HEAD


def write_first(folder: Path) -> Path:
    """An empty ledger with the tables that the first migration makes."""
    path = folder / "ledger.sqlite"
    engine = create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, schema.FIRST)
    engine.dispose()
    return path


@pytest.mark.parametrize("write", [None, write_old, write_first])
def test_tables_are_what_the_code_describes(
    write: Callable[[Path], Path] | None, tmp_path: Path
) -> None:
    path = tmp_path / "ledger.sqlite" if write is None else write(tmp_path)
    Ledger(f"sqlite:///{path}").close()
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []
        assert context.get_current_revision() == schema.HEAD
    engine.dispose()
    assert query(path, "SELECT schema_version FROM meta") == [(schema.SCHEMA,)]


def test_versions_and_state_are_kept(tmp_path: Path) -> None:
    path = write_old(tmp_path)
    columns = "number, parent, status, reason, count, fingerprint, created_at"
    before = query(path, f"SELECT {columns} FROM versions ORDER BY number")
    moments = query(path, "SELECT moments, admission FROM versions ORDER BY number")
    (state,) = query(path, "SELECT moments, count, pending, admission, serving FROM targets")
    with migrated(path) as (ledger, target):
        found = [
            (v.number, v.parent, v.status, v.reason, v.count, v.fingerprint, v.created_at)
            for v in ledger.versions(target, ALL)
        ]
        versions = [ledger.version(target, number) for number in range(5)]
    assert found == before
    assert [(v.state.moments.to_bytes(), v.admission) for v in versions if v is not None] == moments
    kept = target.state
    assert state == (
        kept.moments.to_bytes(),
        kept.count,
        kept.pending,
        target.admission,
        target.serving,
    )


def test_events_are_rewritten(tmp_path: Path) -> None:
    with migrated(write_old(tmp_path)) as (ledger, target):
        events = ledger.events(target, ALL)
    assert [event.kind for event in events] == [
        "published",
        "published",
        "alarm",
        "rejected",
        "rolled_back",
        "promoted",
        "frozen",
        "unfrozen",
        "reset",
        "promoted",
        "new_domain",
        "published",
    ]
    details = [event.detail for event in events]
    published = [d for event, d in zip(events, details, strict=True) if event.kind == "published"]
    assert [(detail["version"], detail["parent"]) for detail in published] == [
        (1, 0),
        (2, 1),
        (4, 2),
    ]
    assert published[0]["scores"]["images"] == 8
    assert details[2] == {
        "received": 12,
        "admitted": 0,
        "not_admitted": 12,
        "held": 9,
        "pending": 0,
        "alarm": "9 of 12 images are unlike the images admitted before",
    }
    assert (details[3]["version"], details[3]["parent"]) == (3, 2)
    assert details[3]["reason"].startswith("the means moved by")
    assert details[4] == {"version": 1, "previous": 2}


def test_a_target_continues_where_the_old_program_stopped(
    bundle_path: Path, tmp_path: Path
) -> None:
    write_old(tmp_path, load_bundle(bundle_path).fingerprint)
    options = {"commit_every": 8, "change_images": 8}
    with target_of(bundle_path, tmp_path, **options) as target:
        assert (target.record.serving, target.record.state.pending) == (4, 3)
        repeated = target.adapt(list(flat(3, 6)), Idempotency("last", "hash last"))
        assert (repeated.admitted, repeated.pending, repeated.made) == (3, 3, None)
        completed = target.adapt(list(flat(8, 5)), Idempotency("new", "hash new"))
        assert completed.made == target.queries.version_record(4)
        assert target.adapt(list(flat(9, 7))).serving == 5
        target.rollback(2)
        assert target.served.served.version == 2


def test_a_migration_is_done_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_old(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON receipts BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
        connection.commit()
        before = list(connection.iterdump())
    with pytest.raises(LedgerError, match=r"cannot open the ledger .*disk full"):
        Ledger(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        assert list(connection.iterdump()) == before
        connection.execute("DROP TRIGGER full")
        connection.commit()
    with migrated(path) as (ledger, target):
        assert len(ledger.events(target, ALL)) == 12


@pytest.mark.parametrize("old", [False, True])
def test_processes_that_start_together_agree(old: bool, tmp_path: Path) -> None:
    path = write_old(tmp_path) if old else tmp_path / "ledger.sqlite"
    together, failures = threading.Barrier(4), []

    def start() -> None:
        together.wait()
        try:
            Ledger(f"sqlite:///{path}").close()
        except LedgerError as error:
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert query(path, "SELECT version_num FROM alembic_version") == [(schema.HEAD,)]


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        (
            "CREATE TABLE meta (schema_version INTEGER PRIMARY KEY); INSERT INTO meta VALUES (7)",
            "has schema version 7; this program uses 4",
        ),
        (
            "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY);"
            "INSERT INTO alembic_version VALUES ('0099')",
            "has schema 0099, of a later version of this program; this one uses 0004",
        ),
    ],
)
def test_the_ledger_of_a_later_program_is_left_alone(
    statements: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(statements)
        before = list(connection.iterdump())
    with pytest.raises(LedgerError, match=message):
        Ledger(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        assert list(connection.iterdump()) == before

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy.event
from hypothesis import given
from hypothesis import strategies as st

from bundle.moments import FlatMoments
from service.adaptation.memory import DomainMemory
from service.adaptation.outcome import BatchOutcome, Left, NotAdmitted
from service.adaptation.state import OnlineState
from service.errors import LedgerConflict, LedgerError
from service.ledger.change import Actor, Change
from service.ledger.changes import (
    BatchMerged,
    DomainEntered,
    VersionProposed,
    VersionPublished,
    VersionRejected,
)
from service.ledger.ledger import Ledger
from service.ledger.moves import (
    DomainChanged,
    DomainForgotten,
    EvidenceGiven,
    Frozen,
    LabelMoved,
    ModeChanged,
    ShadowMoved,
    Unfrozen,
)
from service.ledger.records import (
    Batch,
    Domain,
    Page,
    Receipt,
    Target,
    Version,
    make_version,
)

STATE = OnlineState(FlatMoments(np.array([0.1, 1 / 3]), np.array([1.0, 2.0])), 64.0)
# As float32 holds them, which is how batches are stored.
SEEN = FlatMoments(np.array([0.25, 0.5]), np.array([1.5, 2.5]))
MOVED = STATE.merge(SEEN, 7, float("inf"))
WHO = Actor("ann", "a new lens")
SAID = {"by": "ann", "reason": "a new lens"}
ALL = Page(1000)


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
    return make_version(
        number,
        state.without_pending(),
        b"later",
        parent=number - 1,
        status="published",
        scores={"information": 0.5},
    )


def outcome(state: OnlineState = MOVED) -> BatchOutcome:
    return BatchOutcome(
        received=9,
        images=[np.zeros((2, 2, 1), np.uint8)] * 7,
        not_admitted=[NotAdmitted(1, "duplicate", "seen"), NotAdmitted(3, "outlier", "unlike")],
        state=state,
        moments=SEEN,
        weight=7.0,
        memory=b"",
        held=1,
        alarm=None,
        left=None,
        recalled=False,
        logits=[(9, None)],
    )


def batch(key: str = "a", moments: FlatMoments = SEEN) -> Batch:
    return Batch(key, 0, "camera", 7, 7.0, moments, DomainMemory().to_bytes())


def merged(receipt: Receipt | None = None, key: str = "a") -> BatchMerged:
    return BatchMerged(outcome(), batch(key), receipt)


def domain(number: int, state: OnlineState = STATE, version: int = 0) -> Domain:
    return Domain(number, None, False, version, state, b"memory", "2026", "2026")


def publish(ledger: Ledger, target: Target, count: int) -> Target:
    """Publish the next versions, one after another."""
    for _ in range(count):
        target = ledger.append(target, VersionPublished(version(ledger.next_number(target))))
    return target


def plain(value: Any) -> Any:
    """Records as values that can be compared: their moments are arrays."""
    if isinstance(value, FlatMoments):
        return value.to_bytes()
    if isinstance(value, tuple):
        return tuple(plain(each) for each in value)
    if hasattr(value, "__dataclass_fields__"):
        return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return value


def assert_same(one: Any, other: Any) -> None:
    """Equality of records."""
    assert type(one) is type(other)
    assert plain(one) == plain(other)


def kinds(ledger: Ledger, target: Target) -> list[str]:
    return [event.kind for event in ledger.events(target, ALL)]


def test_a_new_target_has_version_0(ledger: Ledger) -> None:
    target = open_target(ledger)
    (home,) = target.domains
    assert (home.number, home.version, home.memory) == (0, 0, b"admission")
    expected = Target(target.id, "default", 0, 0, False, STATE, b"admission", domains=(home,))
    assert_same(target, expected)
    (only,) = ledger.versions(target, ALL)
    assert (only.number, only.parent, only.status, only.kept) == (0, None, "exported", True)
    assert only.fingerprint == STATE.moments.fingerprint()
    assert ledger.next_number(target) == 1
    assert kinds(ledger, target) == ["opened"]


def test_opening_again_changes_nothing(ledger: Ledger) -> None:
    target = ledger.append(ledger.append(open_target(ledger), merged()), Frozen())
    assert_same(ledger.open_target("default", "b", STATE, b"other"), target)


def test_targets_and_bundles_are_apart(ledger: Ledger) -> None:
    one, two, three = (
        open_target(ledger),
        open_target(ledger, "other"),
        open_target(ledger, bundle="c"),
    )
    assert len({one.id, two.id, three.id}) == 3
    ledger.append(one, VersionPublished(version(1), Receipt("key", "hash", {})))
    assert len(ledger.versions(two, ALL)) == 1
    assert ledger.receipt(two, "key") is None
    assert ledger.version(three, 1) is None
    assert kinds(ledger, two) == ["opened"]


BATCH = {
    "received": 9,
    "admitted": 7,
    "not_admitted": 2,
    "held": 1,
    "pending": 7,
    "alarm": None,
}
MADE = {"version": 1, "parent": 0, "scores": {"information": 0.5}, "domain": 0, "reason": None}
REJECTED = replace(version(1), record=replace(version(1).record, status="rejected", reason="x"))
NEW = replace(MOVED, domain=1, pending=0)
ENTERED = DomainEntered(
    replace(outcome(NEW), left=Left(STATE, b"left")), domain(0), domain(1, NEW), 0
)
CHANGES: dict[str, tuple[Change, dict[str, Any], dict[str, Any]]] = {
    "merged": (merged(), {"batches": (batch(),)}, BATCH),
    "new_domain": (
        ENTERED,
        {"folded": NEW, "admission": b"memory", "domains": (domain(0), domain(1, NEW))},
        {**BATCH, "pending": 0, "domain": 1, "previous_domain": 0, "version": 0},
    ),
    "recalled_domain": (
        replace(ENTERED, outcome=replace(ENTERED.outcome, recalled=True), serving=3),
        {
            "folded": NEW,
            "admission": b"memory",
            "domains": (domain(0), domain(1, NEW)),
            "serving": 3,
        },
        {**BATCH, "pending": 0, "domain": 1, "previous_domain": 0, "version": 3},
    ),
    "published": (
        VersionPublished(version(1), probation={"images": 0}),
        {
            "folded": version(1).state,
            "admission": b"later",
            "serving": 1,
            "probation": {"images": 0},
        },
        MADE,
    ),
    "proposed": (
        VersionProposed(version(1)),
        {"folded": version(1).state, "admission": b"later", "shadow": 1},
        MADE,
    ),
    "rejected": (VersionRejected(REJECTED), {}, {**MADE, "reason": "x", "set_aside": 0}),
    "promoted": (
        LabelMoved(version(1), 0, actor=WHO),
        {"folded": version(1).state, "admission": b"later", "serving": 1},
        {"version": 1, "previous": 0, **SAID},
    ),
    "rolled_back": (
        LabelMoved(version(1), 5, "rolled_back", WHO, strikes=2),
        {"folded": version(1).state, "admission": b"later", "serving": 1, "strikes": 2},
        {"version": 1, "previous": 5, **SAID},
    ),
    "reset": (
        LabelMoved(version(1), 5, "reset", WHO),
        {"folded": version(1).state, "admission": b"later", "serving": 1},
        {"version": 1, "previous": 5, **SAID},
    ),
    "shadow_set": (
        ShadowMoved(1, None, WHO),
        {"shadow": 1},
        {"version": 1, "previous": None, **SAID},
    ),
    "shadow_removed": (
        ShadowMoved(None, 1, WHO),
        {"shadow": None},
        {"version": None, "previous": 1, **SAID},
    ),
    "frozen": (Frozen(WHO), {"frozen": True}, SAID),
    "unfrozen": (Unfrozen(WHO), {"frozen": False}, SAID),
    "mode": (
        ModeChanged("off", "auto", WHO),
        {"mode": "off"},
        {"mode": "off", "previous_mode": "auto", **SAID},
    ),
    "evidence": (
        EvidenceGiven(1, {"harm": 1.5}, ["x", "y"], "worse", WHO),
        {},
        {
            "version": 1,
            "labels": 2,
            "verdict": "worse",
            "evidence": {"harm": 1.5},
            "labelled": ["x", "y"],
            **SAID,
        },
    ),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_sets_what_it_says_and_is_an_event(kind: str, ledger: Ledger) -> None:
    change, values, detail = CHANGES[kind]
    target = open_target(ledger)
    before = plain(target)
    expected = replace(target, revision=1, **values)
    if kind in ("published", "proposed", "promoted", "rolled_back", "reset"):
        # What the domain is left with when another one begins.
        (home,) = target.after(change).domains
        expected = replace(expected, domains=(home,))
        assert home.version == (0 if kind == "proposed" else 1)
    assert_same(target.after(change), expected)
    assert plain(target) == before
    assert_same(ledger.append(target, change), expected)
    assert_same(open_target(ledger), expected)
    event = ledger.events(target, ALL)[-1]
    assert (event.kind, event.detail) == (kind, detail)


def test_an_alarm_is_an_event_of_its_own() -> None:
    change = merged()
    assert replace(change, outcome=replace(change.outcome, alarm="x")).kind == "alarm"


def test_the_state_is_the_last_version_and_the_batches_since(ledger: Ledger) -> None:
    other = FlatMoments(np.array([-1.0, 2.0]), np.array([0.5, 0.25]))
    target = ledger.append(open_target(ledger), merged(key="a"))
    target = ledger.append(target, BatchMerged(outcome(), batch("b", other)))
    expected = MOVED.merge(other, 7, float("inf"), 7.0)
    for found in (target, open_target(ledger), ledger.read_target(target)):
        assert_same(found.state, expected)
        assert_same(found.folded, STATE)
    assert_same(target.state_of(target.batches[:1]), MOVED)


def test_a_version_contains_the_batches_that_did_not_spoil_it(ledger: Ledger) -> None:
    target = ledger.append(open_target(ledger), merged(key="a"))
    target = ledger.append(target, merged(key="b"))
    target = ledger.append(target, VersionPublished(version(1), left_out=["b"]))
    assert target.batches == ()
    records = [ledger.batch(target, key) for key in "ab"]
    assert [(r.status, r.version, r.images, r.client) for r in records if r] == [
        ("merged", 1, 7, "camera"),
        ("set_aside", 1, 7, "camera"),
    ]
    assert ledger.batch(target, "c") is None


def test_a_rejection_costs_only_what_spoiled_it(ledger: Ledger) -> None:
    target = ledger.append(open_target(ledger), merged(key="a"))
    target = ledger.append(target, merged(key="b"))
    target = ledger.append(target, VersionRejected(REJECTED, ["a"]))
    assert [each.key for each in target.batches] == ["b"]
    assert_same(open_target(ledger), target)
    assert_same(target.state, MOVED)


def test_domains_are_named_and_forgotten(ledger: Ledger) -> None:
    target = ledger.append(open_target(ledger), ENTERED)
    named = replace(domain(1, NEW), name="night", pinned=True)
    target = ledger.append(target, DomainChanged(named, WHO))
    assert_same(open_target(ledger).domain(1), named)
    target = ledger.append(target, DomainForgotten(1, WHO))
    assert [each.number for each in open_target(ledger).domains] == [0]
    assert kinds(ledger, target)[-2:] == ["domain_changed", "domain_forgotten"]


def test_everything_is_there_after_reopening(ledger: Ledger, url: str) -> None:
    receipt = Receipt("key", "hash", {"admitted": 7})
    target = ledger.append(open_target(ledger), merged())
    target = ledger.append(target, VersionPublished(version(1), receipt))
    target = ledger.append(target, Frozen())
    assert (target.revision, target.serving, target.frozen) == (3, 1, True)
    again = Ledger(url)
    found = open_target(again)
    assert_same(found, target)
    assert again.receipt(found, "key") == receipt
    stored, record = again.version(found, 1), again.version_record(found, 1)
    assert stored is not None
    expected = version(1)
    times = replace(expected.record, created_at=stored.record.created_at)
    assert_same(stored, replace(expected, record=times))
    assert record == stored.record
    assert [v.number for v in again.versions(found, ALL)] == [0, 1]
    assert again.next_number(found) == 2
    assert kinds(again, found) == ["opened", "merged", "published", "frozen"]
    again.close()


def test_moments_come_back_bit_for_bit(ledger: Ledger) -> None:
    moments = FlatMoments(np.nextafter([0.1, 1e-300], 1), np.array([5e-324, 1.7e308]))
    state = OnlineState(moments, 64.1)
    ledger.append(open_target(ledger), VersionPublished(version(1, state)))
    found = open_target(ledger).state
    assert found.moments.to_bytes() == moments.to_bytes()
    assert found.count == 64.1


def test_the_second_of_two_writers_gets_a_conflict(ledger: Ledger, url: str) -> None:
    other = Ledger(url)
    mine, theirs = open_target(ledger), open_target(other)
    new = ledger.append(mine, merged())
    with pytest.raises(LedgerConflict, match="was changed by another process"):
        other.append(theirs, VersionPublished(version(1), Receipt("key", "h", {})))
    assert_same(open_target(other), new)
    assert other.version(theirs, 1) is None
    assert other.receipt(theirs, "key") is None
    assert kinds(other, theirs) == ["opened", "merged"]
    other.close()


def test_a_change_is_made_whole_or_not_at_all(ledger: Ledger) -> None:
    target = publish(ledger, open_target(ledger), 1)
    with pytest.raises(LedgerError) as failed:
        ledger.append(target, VersionPublished(version(1), Receipt("key", "h", {})))
    assert "\n" not in str(failed.value)
    assert_same(open_target(ledger), target)
    assert ledger.receipt(target, "key") is None
    assert kinds(ledger, target) == ["opened", "published"]


def test_a_receipt_can_be_completed(ledger: Ledger) -> None:
    first, second = (Receipt("key", "hash", {"made": made}) for made in (None, 1))
    target = ledger.append(open_target(ledger), merged(receipt=first))
    ledger.append(target, VersionPublished(version(1), second))
    assert ledger.receipt(target, "key") == second


def test_a_move_of_the_label_voids_receipts(ledger: Ledger) -> None:
    target = ledger.append(open_target(ledger), merged(receipt=Receipt("key", "hash", {})))
    ledger.append(target, LabelMoved(version(0), 0))
    assert ledger.receipt(target, "key") is None


def test_only_the_last_receipts_are_kept(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.ledger.ledger.RECEIPTS_KEPT", 2)
    target = open_target(ledger)
    for key in "abc":
        target = ledger.append(target, merged(Receipt(key, "hash", {}), key))
    assert [ledger.receipt(target, key) is not None for key in "abc"] == [False, True, True]


def test_an_unknown_key_has_no_receipt(ledger: Ledger) -> None:
    assert ledger.receipt(open_target(ledger), "key") is None


def test_listing_reads_no_moments(ledger: Ledger) -> None:
    target = publish(ledger, open_target(ledger), 3)
    statements: list[str] = []

    def note(*arguments: Any) -> None:
        statements.append(arguments[2])

    sqlalchemy.event.listen(ledger._engine, "before_cursor_execute", note)
    assert len(ledger.versions(target, ALL)) == 4
    assert ledger.version_record(target, 2) is not None
    assert ledger.events(target, ALL)
    assert statements and not any("moments" in s or "admission" in s for s in statements)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """A ledger with versions 0 to 20."""
    opened = Ledger(f"sqlite:///{tmp_path_factory.mktemp('long')}/ledger.sqlite")
    publish(opened, open_target(opened), 20)
    yield opened
    opened.close()


@given(limit=st.integers(1, 30), before=st.none() | st.integers(0, 30))
def test_pages_of_versions(long: Ledger, limit: int, before: int | None) -> None:
    target = open_target(long)
    found = [record.number for record in long.versions(target, Page(limit, before))]
    assert found == [n for n in range(21) if before is None or n < before][-limit:]


@given(limit=st.integers(1, 30), after=st.integers(0, 30))
def test_pages_of_events_follow_the_history(long: Ledger, limit: int, after: int) -> None:
    target = open_target(long)
    every = [event.id for event in long.events(target, ALL)]
    assert len(every) == 21 and every == sorted(every)
    found = [event.id for event in long.events(target, Page(limit, after=after))]
    assert found == [id for id in every if id > after][:limit]


def test_moments_of_old_versions_can_be_dropped_but_not_their_records(url: str) -> None:
    ledger = Ledger(url, keep_versions=2)
    target = publish(ledger, open_target(ledger), 5)
    records = ledger.versions(target, ALL)
    assert [record.number for record in records] == [0, 1, 2, 3, 4, 5]
    assert [record.number for record in records if record.kept] == [0, 4, 5]
    assert ledger.version(target, 3) is None
    assert ledger.version_record(target, 3) == records[3]
    # Rejected versions are counted apart; the served version and its parent stay anyway.
    served = ledger.version(target, 4)
    assert served is not None
    target = ledger.append(target, LabelMoved(served, 5))
    for number in (6, 7, 8):
        rejected = replace(version(number).record, status="rejected", parent=4)
        change = VersionRejected(replace(version(number), record=rejected))
        target = ledger.append(target, change)
    kept = [record.number for record in ledger.versions(target, ALL) if record.kept]
    assert kept == [0, 4, 5, 7, 8]
    target = publish(ledger, target, 3)
    kept = [record.number for record in ledger.versions(target, ALL) if record.kept]
    assert kept == [0, 7, 8, 10, 11]
    ledger.close()


def test_the_database_survives_a_crash_of_the_machine(ledger: Ledger) -> None:
    with ledger._engine.connect() as connection:
        pragma = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    full = 2
    assert pragma == {"journal_mode": "wal", "synchronous": full, "foreign_keys": 1}


def test_readers_do_not_wait_for_a_writer(ledger: Ledger, url: str) -> None:
    target = open_target(ledger)
    writer = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert len(ledger.versions(target, ALL)) == 1
    writer.execute("ROLLBACK")
    writer.close()

import gc
import json
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bundle import Bundle, Pixels, load_bundle
from bundle.files import MANIFEST
from bundle.moments import FlatMoments
from bundle.runtime import make_session
from service.adaptation import estimator
from service.adaptation.estimator import rounded
from service.adaptation.observer import ENOUGH, SHARE
from service.errors import (
    AdaptationFrozen,
    InvalidContent,
    KeyReused,
    NothingToRollBack,
    RejectedVersion,
    UnknownBatch,
    UnknownVersion,
)
from service.guards.probation import ImageScore
from service.inference.sessions import Session
from service.ledger.change import Actor
from service.ledger.records import Page, Version, VersionRecord
from service.targets.idempotency import Idempotency
from service.targets.target import OnlineTarget
from tests.bundle.tampering import copy_of, write_manifest
from tests.service.online_targets import Fixed, target_of
from tests.service.pictures import flat, noise

SEEN = noise(5, seed=50)


def predict(target: OnlineTarget, version: int | None = None) -> bytes:
    """What a version says, bit for bit."""
    return target.served.get(version).probabilities(SEEN).tobytes()


def every_version(target: OnlineTarget) -> list[VersionRecord]:
    return target.queries.versions(Page(1000))


def observe(bundle: Bundle, images: Pixels, prior: FlatMoments, count: float) -> FlatMoments:
    """The moments of a batch, straight from the graph."""
    session = make_session(bundle.observe, bundle.observe_arrays, threads=1)
    mean, variance = session.run(
        ["batch_mean", "batch_variance"],
        {
            "image": images,
            "image_weight": np.ones(len(images), np.float32),
            "prior_weight": np.array(count, np.float32),
            "mean": prior.mean.astype(np.float32),
            "variance": prior.variance.astype(np.float32),
        },
    )
    return FlatMoments(mean.astype(np.float64), variance.astype(np.float64))


def stored(bundle: Path, folder: Path) -> tuple[bytes, float, int]:
    """The state that the next process will find."""
    with target_of(bundle, folder, commit_every=10**6) as again:
        state = again.record.state
        return state.moments.to_bytes(), state.count, state.pending


def test_the_base_state(bundle_path: Path, tmp_path: Path) -> None:
    bundle = load_bundle(bundle_path)
    with target_of(bundle_path, tmp_path) as target:
        assert target.record.state.moments.to_bytes() == bundle.target.to_bytes()
        assert target.record.state.count == 0


def test_a_batch_is_merged_like_the_formulas_say(bundle_path: Path, tmp_path: Path) -> None:
    bundle, batches = load_bundle(bundle_path), [noise(5, 1), noise(1, 2), noise(9, 3)]
    mean, variance, count = *bundle.target, 0.0
    with target_of(bundle_path, tmp_path) as target:
        for batch in batches:
            target.adapt(list(batch))
            seen = observe(bundle, batch, FlatMoments(mean, variance), count)
            share = len(batch) / (count + len(batch))
            second = (1 - share) * (variance + mean**2) + share * (seen.variance + seen.mean**2)
            mean = (1 - share) * mean + share * seen.mean
            variance = second - mean**2
            count += len(batch)
        found = target.record.state
    np.testing.assert_allclose(found.moments.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(found.moments.variance, variance, rtol=1e-9)
    assert found.count == count


def test_of_a_domain_that_is_known_well_a_part_stands_for_all(
    bundle_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that images of any classes count alike.
    monkeypatch.setattr(estimator, "MIN_UNEVENNESS", 9.0)
    bundle, images = load_bundle(bundle_path), noise(24, 99)
    with target_of(bundle_path, tmp_path, commit_every=10**6) as target:
        for seed in range(8):
            target.adapt(list(noise(64, seed)))
        before = target.record.state
        assert before.count == ENOUGH
        target.adapt(list(images))
        after = target.record.state
        target.adapt(list(noise(24, 98)), predict=True)
    part = rounded(observe(bundle, images[::SHARE], before.moments, before.count))
    expected = before.merge(part, len(images), 2048.0)
    assert (after.count, after.pending) == (ENOUGH + 24, ENOUGH + 24)
    np.testing.assert_allclose(after.moments.mean, expected.moments.mean, rtol=1e-9)
    np.testing.assert_allclose(after.moments.variance, expected.moments.variance, rtol=1e-9)


def test_first_site_sees_the_moments_of_all_images(bundle_path: Path, tmp_path: Path) -> None:
    """Its input does not depend on statistics, so any split into batches gives the same moments."""
    bundle, images = load_bundle(bundle_path), noise(64)
    states = []
    for size in (1, 7, 64):
        with target_of(bundle_path, tmp_path / str(size), commit_every=1000) as target:
            for start in range(0, len(images), size):
                target.adapt(list(images[start : start + size]))
            states.append(target.record.state)
    assert {(state.count, state.pending) for state in states} == {(64.0, 64)}
    first = bundle.manifest.sites[0].slice
    deviation = np.sqrt(states[0].moments.variance)
    for state in states[1:]:
        for found, expected in zip(state.moments, states[0].moments, strict=True):
            np.testing.assert_allclose(found[first], expected[first], rtol=1e-4)
        shift = (state.moments.mean - states[0].moments.mean) / deviation
        assert np.abs(shift).max() < 0.15
        ratio = state.moments.variance / states[0].moments.variance
        assert ratio.min() > 0.8 and ratio.max() < 1.25


def test_commit_comes_with_the_image_that_completes_it(bundle_path: Path, tmp_path: Path) -> None:
    with target_of(bundle_path, tmp_path, commit_every=10) as target:
        first = target.adapt(list(noise(9, 1)))
        assert (first.pending, first.made, first.serving) == (9, None, 0)
        second = target.adapt(list(noise(1, 2)))
        assert second.made is not None
        assert (second.pending, second.made.number, second.serving) == (0, 1, 1)
        third = target.adapt(list(noise(25, 3)))
        assert third.made is not None
        assert (third.pending, third.made.number, third.serving) == (0, 2, 2)
        version = target.queries.version(2)
        assert (version.record.parent, version.record.status, version.record.reason) == (
            1,
            "published",
            None,
        )
        assert version.state.moments.to_bytes() == target.record.state.moments.to_bytes()
        assert version.state.count == 35


def test_versions_never_change(bundle_path: Path, tmp_path: Path) -> None:
    predictions: dict[int, bytes] = {}
    fingerprints: dict[int, str] = {}
    with target_of(bundle_path, tmp_path, commit_every=8) as target:
        predictions[0] = predict(target)
        for number in range(1, 8):
            target.adapt(list(noise(8, seed=number)))
            assert target.record.serving == number
            predictions[number] = predict(target)
        fingerprints = {v.number: v.fingerprint for v in every_version(target)}
        # More than are kept built, so some are built again.
        assert {n: predict(target, n) for n in predictions} == predictions
    assert len(set(predictions.values())) == 8
    with target_of(bundle_path, tmp_path, commit_every=8) as target:
        assert predict(target) == predictions[7]
        assert {n: predict(target, n) for n in predictions} == predictions
        assert {v.number: v.fingerprint for v in every_version(target)} == fingerprints
        target.rollback(3)
        assert predict(target) == predictions[3]
        target.adapt(list(noise(8, seed=99)))
        assert (target.record.serving, target.queries.version_record(8).parent) == (8, 3)
        assert {n: predict(target, n) for n in predictions} == predictions


def test_version_0_predicts_what_was_exported(bundle_path: Path, tmp_path: Path) -> None:
    bundle = load_bundle(bundle_path)
    exported = make_session(bundle.predict, bundle.predict_arrays, threads=1)
    (logits,) = exported.run(["logits"], {"image": SEEN})
    with target_of(bundle_path, tmp_path) as target:
        probabilities = target.served.served.probabilities(SEEN)
        assert target.served.served.version == 0
    np.testing.assert_array_equal(probabilities.argmax(1), logits.argmax(1))
    ratio = probabilities[:, 0] / probabilities[:, 1]
    np.testing.assert_allclose(np.log(ratio), logits[:, 0] - logits[:, 1], rtol=1e-4, atol=1e-6)


def test_a_rejected_candidate_leaves_everything_as_it_was_served(
    bundle_path: Path, tmp_path: Path
) -> None:
    with target_of(bundle_path, tmp_path, commit_every=16, publication_max_shift=1e-6) as target:
        before, says = target.record, predict(target)
        result = target.adapt(list(noise(16)))
        assert result.made is not None
        assert (result.made.status, result.serving, result.pending) == ("rejected", 0, 0)
        assert result.made.reason is not None
        assert "means moved by" in result.made.reason
        after = target.record
        assert after.state.moments.to_bytes() == before.state.moments.to_bytes()
        assert (after.state.count, after.admission) == (before.state.count, before.admission)
        assert predict(target) == says
        # What was rejected is not remembered, so the images may come again.
        again = target.adapt(list(noise(16)))
        assert (again.admitted, again.made and again.made.number) == (16, 2)
        assert [v.parent for v in every_version(target)] == [None, 0, 0]


def test_refusals_have_their_place_and_reason(bundle_path: Path, tmp_path: Path) -> None:
    good, odd = noise(4), flat(1)
    with target_of(bundle_path, tmp_path) as target:
        result = target.adapt([good[0], odd[0], good[1], good[0], good[2], good[3]])
    found = [(refusal.index, refusal.kind, refusal.reason) for refusal in result.not_admitted]
    assert found == [
        (1, "outlier", "unlike the images admitted before"),
        (3, "duplicate", "duplicate of an image that was admitted before"),
    ]
    assert (result.received, result.admitted, result.held) == (6, 4, 1)
    assert (result.pending, result.alarm) == (4, None)


def test_a_batch_that_is_mostly_unlike_is_an_alarm(bundle_path: Path, tmp_path: Path) -> None:
    with target_of(bundle_path, tmp_path, change_requests=2) as target:
        result = target.adapt([*noise(3), *flat(9)])
        assert result.admitted == 3
        assert result.alarm == "9 of 12 images are unlike the images admitted before"
        assert len(result.not_admitted) == 9
        assert target.adapt(list(noise(3))).admitted == 0


def test_one_request_does_not_change_the_domain(bundle_path: Path, tmp_path: Path) -> None:
    with target_of(bundle_path, tmp_path, change_requests=2) as target:
        before = target.record.state
        result = target.adapt(list(flat(64, 1)))
        assert (result.admitted, result.domain, result.new_domain) == (0, 0, False)
        assert result.alarm is not None
        assert target.record.state.moments is before.moments
        second = target.adapt(list(flat(64, 2)))
        assert (second.domain, second.new_domain) == (1, True)
        assert second.made is not None and second.serving == second.made.number == 1


def test_several_clients_must_see_a_change(bundle_path: Path, tmp_path: Path) -> None:
    with target_of(bundle_path, tmp_path, change_requests=2) as target:
        target.adapt(list(noise(40, 1)), client="ann")
        target.adapt(list(noise(40, 2)), client="bob")
        for seed in range(5):
            assert not target.adapt(list(flat(32, seed)), client="bob").new_domain
        assert target.adapt(list(flat(32, 9)), client="ann").new_domain


def test_a_domain_that_comes_back_is_served_as_it_was(bundle_path: Path, tmp_path: Path) -> None:
    with target_of(bundle_path, tmp_path, commit_every=64, change_requests=2) as target:
        target.adapt(list(noise(64, 1)))
        home = predict(target)
        assert target.record.serving == 1
        for seed in (2, 3, 4):
            away = target.adapt(list(flat(64, seed)))
        assert (away.domain, away.serving > 1) == (1, True)
        for seed in (5, 6):
            back = target.adapt(list(noise(64, seed)))
        assert (back.domain, back.recalled) == (0, True)
        # The images that showed it are part of the state, and make a version when it is time.
        versions = target.queries.versions(Page(100))
        assert versions[back.serving].domain == 0
        assert predict(target, 1) == home
        kinds = [event.kind for event in target.queries.events(Page(100))]
        assert kinds.count("new_domain") == kinds.count("recalled_domain") == 1
    with target_of(bundle_path, tmp_path, change_requests=2) as target:
        assert [domain.number for domain in target.domains.all] == [0, 1]
        assert target.record.state.domain == 0


def test_a_restart_changes_nothing(bundle_path: Path, tmp_path: Path) -> None:
    batches = [noise(20, 1), noise(30, 2), flat(64, 3), flat(64, 4), noise(9, 5), flat(64, 6)]
    for name, restarts in (("one", False), ("many", True)):
        folder = tmp_path / name
        target: OnlineTarget | None = None
        for batch in batches:
            if target is None or restarts:
                context = target_of(bundle_path, folder, change_requests=1, change_images=40)
                target = context.__enter__()
            target.adapt(list(batch))
            if restarts:
                context.__exit__(None, None, None)
        context.__exit__(None, None, None)
    states = [stored(bundle_path, tmp_path / name) for name in ("one", "many")]
    assert states[0] == states[1]


def test_a_new_domain_is_reached(bundle_path: Path, tmp_path: Path) -> None:
    with target_of(bundle_path, tmp_path, commit_every=32) as target:
        target.adapt(list(noise(8)))
        results = [target.adapt(list(flat(8, seed))) for seed in range(1, 12)]
        changed = [result.new_domain for result in results].index(True)
        assert [r.admitted for r in results[:changed]] == [0] * changed
        assert results[changed].admitted == 8 * (changed + 1)
        assert results[changed].not_admitted == ()
        assert [r.admitted for r in results[changed + 1 :]] == [8] * (10 - changed)
        assert target.record.serving > 0
        first = load_bundle(bundle_path).manifest.sites[0].slice
        reached = target.record.state.moments.mean[first]
    bundle = load_bundle(bundle_path)
    everything = np.concatenate([flat(8, seed) for seed in range(1, 12)])
    aim = observe(bundle, everything, bundle.target, 0.0).mean[first]
    np.testing.assert_allclose(reached, aim, rtol=1e-3, atol=1e-4)


def test_a_dry_run_changes_nothing(bundle_path: Path, tmp_path: Path) -> None:
    with target_of(bundle_path, tmp_path, commit_every=8) as target:
        before = target.record
        tried = target.adapt(list(noise(8)), dry_run=True)
        assert (tried.admitted, tried.dry_run, tried.made) == (8, True, None)
        assert target.record is before
        assert target.adapt(list(noise(8))).admitted == 8


def test_modes(bundle_path: Path, tmp_path: Path) -> None:
    with target_of(bundle_path, tmp_path, commit_every=8, adaptation="shadow") as target:
        proposed = target.adapt(list(noise(8, 1)))
        assert proposed.made is not None
        assert (proposed.made.status, proposed.serving) == ("proposed", 0)
        assert target.record.shadow == 1
        assert target.served.shadow is not None and target.served.shadow.version == 1
        target.promote(1, Actor("ann", "looks good"))
        target.set_mode("auto", Actor("ann"))
        assert target.adapt(list(noise(8, 2))).serving == 2
        target.set_mode("off")
        with pytest.raises(AdaptationFrozen, match="adaptation is off"):
            target.adapt(list(noise(8, 3)))
        detail = [e.detail for e in target.queries.events(Page(100)) if e.kind == "promoted"]
        assert (detail[0]["by"], detail[0]["reason"]) == ("ann", "looks good")
    with target_of(bundle_path, tmp_path, commit_every=8) as target:
        assert target.record.mode == "off"


def test_a_rejected_version_needs_force_and_a_reason(bundle_path: Path, tmp_path: Path) -> None:
    with target_of(bundle_path, tmp_path, commit_every=16, publication_max_shift=1e-6) as target:
        assert target.adapt(list(noise(16))).made is not None
        for actor, force in ((Actor("ann"), True), (Actor("ann", "why"), False)):
            with pytest.raises(RejectedVersion, match="version 1 was rejected: the means moved"):
                target.promote(1, actor, force=force)
        target.promote(1, Actor("ann", "measured by hand"), force=True)
        assert target.record.serving == 1


def test_a_batch_that_spoils_a_version_is_left_out(bundle_path: Path, tmp_path: Path) -> None:
    limit = 0.35
    with target_of(bundle_path, tmp_path, commit_every=40, publication_max_shift=limit) as target:
        good = [target.adapt(list(noise(12, seed)), client="ann") for seed in (1, 2, 3)]
        bright = np.clip(noise(12, 4).astype(int) + 40, 0, 255).astype(np.uint8)
        bad = target.adapt(list(bright), client="bob")
        if bad.made is None:
            pytest.skip("the images are not admitted at all")
        if bad.made.status == "published" and bad.batch is not None:
            fates = [target.queries.batch(r.batch or "").status for r in (*good, bad)]
            assert fates in (["merged"] * 3 + ["set_aside"], ["merged"] * 4)


def test_a_batch_can_be_asked_for(bundle_path: Path, tmp_path: Path) -> None:
    with target_of(bundle_path, tmp_path, commit_every=8) as target:
        result = target.adapt(list(noise(5, 1)), client="ann")
        assert result.batch is not None
        record = target.queries.batch(result.batch)
        assert (record.status, record.images, record.client) == ("pending", 5, "ann")
        target.adapt(list(noise(5, 2)))
        record = target.queries.batch(result.batch)
        assert (record.status, record.version) == ("merged", 1)
        with pytest.raises(UnknownBatch, match="has no batch 'x'"):
            target.queries.batch("x")


def test_a_version_that_harms_is_rolled_back(bundle_path: Path, tmp_path: Path) -> None:
    with target_of(bundle_path, tmp_path, commit_every=16) as target:
        assert target.adapt(list(noise(16, 1))).serving == 1
        images = np.eye(3)[np.arange(30) % 3]
        scores = (ImageScore.of(images), ImageScore.of(images))
        evidence = target._watch.begin(Session(0, Fixed(0, 9.0)), scores)
        target.served.serve(Session(1, Fixed(0, 0.0)))
        object.__setattr__(target.record, "probation", evidence)
        outcome = target.adapt(list(noise(40, 2)))
        assert outcome.rolled_back is not None and "lower than its parent's" in outcome.rolled_back
        assert (outcome.serving, target.record.serving, target.record.strikes) == (0, 0, 1)
        last = [e for e in target.queries.events(Page(100)) if e.kind == "rolled_back"][-1]
        assert last.detail["by"] == "guard"


def test_a_few_labels_roll_a_version_back(bundle_path: Path, tmp_path: Path) -> None:
    with target_of(bundle_path, tmp_path, commit_every=32) as target:
        assert target.adapt(list(noise(32, 1))).serving == 1
        target.served._cache[0] = Session(0, Fixed(0, 9.0))
        target.served.serve(Session(1, Fixed(1, 9.0)))
        dispute = target.evidence.describe(1)
        assert dispute.images and all(d.parent != d.version for d in dispute.images)
        first, *others = dispute.images
        after = target.evidence.add(1, {first.name: first.parent}, Actor("ann"))
        assert (after.evidence.labels, after.evidence.verdict) == (1, "undecided")
        assert first.name not in [d.name for d in after.images]
        with pytest.raises(InvalidContent, match="not one whose label is asked for"):
            target.evidence.add(1, {first.name: first.parent}, Actor("ann"))
        with pytest.raises(InvalidContent, match="'lion' is not a class"):
            target.evidence.add(1, {others[0].name: "lion"}, Actor("ann"))
        after = target.evidence.add(1, {d.name: d.parent for d in others[:14]}, Actor("ann"))
        assert after.evidence.verdict == "worse"
        assert target.record.serving == 0
        last = target.queries.events(Page(2))
        assert [event.kind for event in last] == ["evidence", "rolled_back"]
        assert "the parent alone is right on 15" in str(last[1].detail["reason"])


def test_a_replayed_key_gives_the_same_answer_and_counts_once(
    bundle_path: Path, tmp_path: Path
) -> None:
    with target_of(bundle_path, tmp_path, commit_every=10) as target:
        first = target.adapt(list(noise(4, 1)), Idempotency("one", "hash one"))
        second = target.adapt(list(noise(8, 2)), Idempotency("two", "hash two"))
        assert second.made is not None
        state = target.record
        assert target.adapt(list(noise(4, 1)), Idempotency("one", "hash one")) == first
        assert target.adapt(list(noise(8, 2)), Idempotency("two", "hash two")) == second
        with pytest.raises(KeyReused, match="used for another request"):
            target.adapt(list(noise(4, 3)), Idempotency("one", "hash three"))
        assert target.record is state
    with target_of(bundle_path, tmp_path) as target:
        target.freeze(True)
        assert target.adapt(list(noise(8, 2)), Idempotency("two", "hash two")) == second


def test_what_a_rollback_took_back_can_be_posted_again(bundle_path: Path, tmp_path: Path) -> None:
    images, again = list(noise(8, 1)), Idempotency("one", "hash one")
    with target_of(bundle_path, tmp_path, commit_every=8) as target:
        assert target.adapt(images, again).serving == 1
        target.rollback(None)
        posted = target.adapt(images, again)
        assert (posted.admitted, posted.serving) == (8, 2)
        target.promote(1)
        repeated = target.adapt(images, again)
        assert (repeated.admitted, len(repeated.not_admitted), repeated.serving) == (0, 8, 1)


def test_frozen_means_frozen(bundle_path: Path, tmp_path: Path) -> None:
    with target_of(bundle_path, tmp_path) as target:
        target.adapt(list(noise(4)))
        target.freeze(True)
        with pytest.raises(AdaptationFrozen, match="frozen"):
            target.adapt(list(noise(4, 2)))
    with target_of(bundle_path, tmp_path, commit_every=2) as target:
        assert (target.record.frozen, target.record.serving) == (True, 0)
        target.freeze(False)
        assert target.adapt(list(noise(4, 2))).serving == 1


def test_promote_rollback_reset(bundle_path: Path, tmp_path: Path) -> None:
    with target_of(bundle_path, tmp_path, commit_every=8) as target:
        for seed in (1, 2, 3):
            target.adapt(list(noise(8, seed)))
        target.adapt(list(noise(5, 4)))
        moves: list[tuple[Callable[[], Version], int]] = [
            (lambda: target.rollback(None), 2),
            (lambda: target.promote(3), 3),
            (lambda: target.rollback(1), 1),
            (target.reset, 0),
        ]
        for move, number in moves:
            move()
            assert (target.record.serving, target.served.served.version) == (number, number)
            version = target.queries.version(number)
            assert target.record.state.moments.to_bytes() == version.state.moments.to_bytes()
            assert (target.record.state.count, target.record.state.pending) == (8 * number, 0)
        with pytest.raises(NothingToRollBack, match="nothing to roll back to"):
            target.rollback(None)
        with pytest.raises(UnknownVersion, match="no version 17"):
            target.promote(17)
        # After a reset the same images may come again.
        assert target.adapt(list(noise(4, 1))).admitted == 4


def test_a_process_that_starts_commits_what_is_due(bundle_path: Path, tmp_path: Path) -> None:
    with target_of(bundle_path, tmp_path, commit_every=64) as target:
        target.adapt(list(noise(20)))
        due = target.record.state
    with target_of(bundle_path, tmp_path, commit_every=64) as target:
        assert (target.record.serving, target.record.state.pending) == (0, 20)
    with target_of(bundle_path, tmp_path, commit_every=20) as target:
        assert (target.record.serving, target.record.state.pending) == (1, 0)
        assert target.queries.version(1).state.moments.to_bytes() == due.moments.to_bytes()
    assert stored(bundle_path, tmp_path)[0] == due.moments.to_bytes()


def test_another_bundle_has_a_state_of_its_own(bundle_path: Path, tmp_path: Path) -> None:
    other = copy_of(bundle_path, tmp_path)
    manifest = json.loads((other / MANIFEST).read_text())
    write_manifest(other, {**manifest, "name": "other"})
    with target_of(bundle_path, tmp_path, commit_every=8) as target:
        target.adapt(list(noise(8)))
    with target_of(other, tmp_path) as target:
        assert (target.record.serving, len(every_version(target))) == (0, 1)
    with target_of(bundle_path, tmp_path) as target:
        assert target.record.serving == 1


def test_moments_are_moments(bundle_path: Path, tmp_path: Path) -> None:
    with target_of(bundle_path, tmp_path, max_count=32, commit_every=16) as target:
        for seed in range(10):
            target.adapt(list(noise(8, seed)))
        state = target.record.state
        assert isinstance(state.moments, FlatMoments)
        assert state.moments.problem() is None
        assert state.count == 32


def test_what_is_closed_is_freed_at_once(bundle_path: Path, tmp_path: Path) -> None:
    """Reference cycles would keep its sessions until the collector runs, which may be never."""
    gc.disable()
    try:
        with target_of(bundle_path, tmp_path) as target:
            target.adapt(list(noise(8)), predict=True)
            target.drift()
            target.close()
            closed = weakref.ref(target)
            del target
            assert closed() is None
    finally:
        gc.enable()

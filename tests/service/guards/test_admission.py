import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle import Pixels
from bundle.manifest import InputProfile
from service.guards.admission import (
    MAX_REMEMBERED,
    Admission,
    AdmissionOptions,
    Features,
    digest,
)
from service.vocabulary import Verdict

OPTIONS = AdmissionOptions(window=128, threshold=8.0, change_images=32)
INPUT_PROFILE = InputProfile(features=("a", "b"), median=(0.5, 0.1), spread=(0.05, 0.02))
_numbers = itertools.count()


class Stream:
    """Images and features of a domain; no two images are alike."""

    def __init__(self, centre: float, seed: int = 0, spread: float = 0.05) -> None:
        self._generator = np.random.default_rng(seed)
        self._centre, self._spread = centre, spread

    def take(self, count: int) -> tuple[list[Pixels], Features]:
        features = self._generator.normal(self._centre, self._spread, (count, 2))
        return images(count), features


def images(count: int) -> list[Pixels]:
    return [np.frombuffer(next(_numbers).to_bytes(8, "little"), np.uint8) for _ in range(count)]


def junk(count: int, seed: int = 9) -> tuple[list[Pixels], Features]:
    """Far away, and every image in a direction and distance of its own."""
    generator = np.random.default_rng(seed)
    return images(count), generator.choice([-1, 1], (count, 2)) * 10 ** generator.uniform(
        1, 4, (count, 2)
    )


def mixed(*batches: tuple[list[Pixels], Features], seed: int = 3) -> tuple[list[Pixels], Features]:
    pictures = [image for batch, _ in batches for image in batch]
    features = np.concatenate([features for _, features in batches])
    order = np.random.default_rng(seed).permutation(len(pictures))
    return [pictures[i] for i in order], features[order]


def feed(admission: Admission, batch: tuple[list[Pixels], Features]) -> tuple[list[Verdict], bool]:
    """Judge, hold and remember a batch as a target does; return also whether it made a new domain."""
    pictures, features = batch
    verdicts = admission.judge(pictures, features)
    released = admission.hold(pictures, features, verdicts)
    chosen = [i for i, verdict in enumerate(verdicts) if verdict == "admitted"]
    admission.remember([pictures[i] for i in chosen], features[chosen])
    if released is not None:
        admission.remember(*released)
    return verdicts, released is not None


def settled(profile: InputProfile | None = None) -> Admission:
    admission = Admission(OPTIONS, profile)
    feed(admission, Stream(0.5, seed=100).take(64))
    return admission


def test_duplicates_count_once_within_a_batch_and_later() -> None:
    admission = Admission(OPTIONS, None)
    (one, two), features = images(2), np.zeros((3, 2))
    assert admission.judge([one, two, one], features) == ["admitted", "admitted", "duplicate"]
    admission.remember([one], features[:1])
    assert admission.judge([one, two], features[:2]) == ["duplicate", "admitted"]


def test_judging_remembers_nothing() -> None:
    admission = settled()
    before = admission.to_bytes()
    admission.judge(*Stream(0.5).take(8))
    assert admission.to_bytes() == before


def test_everything_finite_is_normal_at_first() -> None:
    admission = Admission(OPTIONS, None)
    features = np.array([[0.0, 1e6], [np.nan, 0.0], [np.inf, 0.0], [-5.0, 3.0]])
    assert admission.judge(images(4), features) == ["admitted", "outlier", "outlier", "admitted"]


def test_the_input_profile_says_what_is_normal_at_first() -> None:
    admission = Admission(OPTIONS, INPUT_PROFILE)
    reach = OPTIONS.threshold * 1.4826 * 0.05
    features = np.array([[0.5 + 0.99 * reach, 0.1], [0.5 + 1.01 * reach, 0.1], [np.nan, 0.1]])
    assert admission.judge(images(3), features) == ["admitted", "outlier", "outlier"]


def test_admitted_images_say_later_what_is_normal() -> None:
    admission = Admission(OPTIONS, INPUT_PROFILE)
    admission.remember(*Stream(3.0).take(32))
    verdicts = admission.judge(images(2), np.array([[3.0, 3.0], [0.5, 0.1]]))
    assert verdicts == ["admitted", "outlier"]


def test_images_that_are_all_alike_do_not_make_others_outliers() -> None:
    admission = Admission(OPTIONS, None)
    admission.remember(images(40), np.full((40, 2), 0.5))
    near, far = (
        [0.5 + 0.99 * OPTIONS.threshold * 0.01] * 2,
        [0.5 + 1.01 * OPTIONS.threshold * 0.01] * 2,
    )
    assert admission.judge(images(2), np.array([near, far])) == ["admitted", "outlier"]


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_junk_is_kept_out_while_normal_images_go_on(share: float) -> None:
    admission, normal = settled(), Stream(0.5)
    for number in range(40):
        bad = round(share * 20)
        pictures, features = mixed(normal.take(20 - bad), junk(bad, seed=number), seed=number)
        verdicts, changed = feed(admission, (pictures, features))
        far = np.abs(features).max(axis=1) > 5
        assert [verdict == "outlier" for verdict in verdicts] == far.tolist()
        assert not changed
    assert admission.held == 2 * OPTIONS.change_images


def test_a_change_of_domain_is_let_in_once_it_is_certain() -> None:
    admission, other = settled(), Stream(20.0)
    changes = [False]
    while not changes[-1]:
        batch = other.take(10)
        verdicts, changed = feed(admission, batch)
        assert set(verdicts) == {"outlier"}
        changes.append(changed)
        assert len(changes) * 10 <= 2 * OPTIONS.change_images + 10
    assert 10 * (len(changes) - 1) >= OPTIONS.change_images
    assert admission.held == 0
    assert all(digest(image) in admission.digests for image in batch[0])
    assert set(feed(admission, other.take(10))[0]) == {"admitted"}
    assert set(feed(admission, Stream(0.5).take(10))[0]) == {"outlier"}


def test_the_whole_new_domain_is_given_back() -> None:
    admission, other = Admission(OPTIONS, None), Stream(20.0)
    first, second = other.take(31), other.take(1)
    verdicts: list[Verdict] = ["outlier"] * 31
    assert admission.hold(*first, verdicts) is None
    released = admission.hold(*second, ["outlier"])
    assert released is not None
    assert {digest(image) for image in released[0]} == {digest(i) for i in [*first[0], *second[0]]}
    np.testing.assert_array_equal(released[1], np.concatenate([first[1], second[1]]))


def test_a_new_domain_may_bring_some_junk() -> None:
    admission, other = settled(), Stream(20.0)
    changed = [feed(admission, mixed(other.take(9), junk(1, seed=n)))[1] for n in range(7)]
    assert any(changed)


def test_a_mixed_stream_is_no_change() -> None:
    admission, normal, other = settled(), Stream(0.5), Stream(20.0)
    for _ in range(30):
        verdicts, changed = feed(admission, mixed(normal.take(6), other.take(4)))
        assert not changed
        assert verdicts.count("admitted") == 6


def test_junk_that_does_not_agree_is_no_domain() -> None:
    admission = settled()
    for number in range(20):
        batch = mixed(Stream(20.0, seed=number).take(6), junk(4, seed=number))
        verdicts, changed = feed(admission, batch)
        assert set(verdicts) == {"outlier"} and not changed
    assert admission.held == 2 * OPTIONS.change_images


def test_one_image_again_and_again_is_no_domain() -> None:
    admission = settled()
    (image,), feature = images(1), np.full((1, 2), 20.0)
    for _ in range(100):
        assert feed(admission, ([image], feature)) == (["outlier"], False)
    assert admission.held == 1


def test_only_the_last_images_are_remembered() -> None:
    admission = Admission(OPTIONS, None)
    many = images(MAX_REMEMBERED + 10)
    admission.remember(many, np.zeros((len(many), 2)))
    assert len(admission.features) == OPTIONS.window
    assert len(admission.digests) == MAX_REMEMBERED
    assert digest(many[9]) not in admission.digests and digest(many[10]) in admission.digests


@given(st.integers(0, 200), st.booleans())
def test_what_is_stored_comes_back(count: int, calibrated: bool) -> None:
    profile = INPUT_PROFILE if calibrated else None
    admission = Admission(OPTIONS, profile)
    admission.remember(*Stream(0.5).take(count))
    restored = Admission(OPTIONS, None)
    restored.restore(admission.to_bytes(), INPUT_PROFILE)
    assert restored.input_profile == profile
    assert list(restored.digests) == list(admission.digests)
    assert restored.to_bytes() == admission.to_bytes()
    batch = mixed(Stream(0.5, seed=7).take(8), junk(4))
    assert restored.judge(*batch) == admission.judge(*batch)


def test_restoring_forgets_what_was_held() -> None:
    admission = settled()
    content = admission.to_bytes()
    feed(admission, Stream(20.0).take(31))
    admission.restore(content, None)
    assert admission.held == 0
    assert not feed(admission, Stream(20.0).take(1))[1]

"""Domains are followed by what their images look like, and by who sends them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.adaptation.change import difference, foreignness, last_change, log_features
from service.adaptation.memory import WINDOW, Arrival, DomainMemory
from service.adaptation.tracker import Judgement, Tracker, TrackerOptions

OPTIONS = TrackerOptions(outlier=8.0, change=8.0, recall=6.0, images=32, requests=2)
WIDTH = 11


def features(count: int, seed: int, shift: float = 0.0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(shift, 0.2, (count, WIDTH))


def images(count: int, seed: int) -> list[NDArray[np.uint8]]:
    return list(np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 1), dtype=np.uint8))


class Stream:
    """A tracker that has seen a calm domain."""

    def __init__(self, options: TrackerOptions = OPTIONS) -> None:
        self.tracker, self.requests = Tracker(options), 0
        for seed in range(4):
            self.send(64, seed)

    def send(
        self,
        count: int,
        seed: int,
        shift: float = 0.0,
        client: str | None = None,
        earlier: dict[int, NDArray[np.float64]] | None = None,
    ) -> Judgement:
        self.requests += 1
        found = self.tracker.judge(
            images(count, seed),
            features(count, seed, shift),
            self.requests,
            client,
            earlier or {},
        )
        if found.found is not None:
            self.tracker.enter(found.found, DomainMemory())
        return found


def test_calm_images_are_admitted() -> None:
    judgement = Stream().send(64, 9)
    assert judgement.verdicts == ["admitted"] * 64 and judgement.found is None


def test_duplicates_are_known() -> None:
    stream = Stream()
    assert set(stream.send(64, 3).verdicts) == {"duplicate"}


def test_junk_among_good_images_is_no_change() -> None:
    stream = Stream()
    for seed in range(10, 20):
        good, bad = stream.send(20, seed), stream.send(8, seed + 100, shift=9.0)
        assert set(good.verdicts) == {"admitted"} and good.found is None
        assert set(bad.verdicts) == {"outlier"} and bad.found is None


@pytest.mark.parametrize("shift", [0.6, 9.0])
def test_a_change_needs_two_requests(shift: float) -> None:
    stream = Stream()
    first = stream.send(64, 10, shift)
    assert first.found is None and "admitted" not in first.verdicts
    second = stream.send(64, 11, shift)
    assert second.found is not None and second.found.recalled is None
    assert len(second.found.part) >= 32
    assert stream.send(64, 12, shift).verdicts == ["admitted"] * 64


def test_a_change_is_seen_in_single_images() -> None:
    stream = Stream()
    found = [stream.send(1, seed, 0.8).found is not None for seed in range(100, 180)]
    assert 31 <= found.index(True) < 60


def test_one_client_among_several_changes_nothing_alone() -> None:
    stream = Stream()
    stream.send(40, 20, client="ann")
    stream.send(40, 21, client="bob")
    for seed in range(30, 36):
        assert stream.send(64, seed, 2.0, client="bob").found is None
    assert stream.send(64, 40, 2.0, client="ann").found is not None


def test_an_earlier_domain_is_recalled_and_the_nearest_first() -> None:
    earlier = {0: features(300, 90, 0.9), 3: features(300, 91, 3.0)}
    stream = Stream()
    stream.send(64, 10, 3.0, earlier=earlier)
    found = stream.send(64, 11, 3.0, earlier=earlier).found
    assert found is not None and found.recalled == 3


def test_what_is_restored_is_as_it_was() -> None:
    stream = Stream()
    restore, before = stream.tracker.snapshot(), stream.tracker.memory.to_bytes()
    stream.send(64, 50, 4.0)
    stream.send(64, 51, 4.0)
    restore()
    assert stream.tracker.memory.to_bytes() == before
    # The witnesses of a change are forgotten, too.
    assert stream.send(64, 52, 4.0).found is None


@given(st.lists(st.integers(1, 90), max_size=6), st.integers(0, 1000))
def test_a_memory_comes_back_from_bytes(sizes: list[int], seed: int) -> None:
    stream = Tracker(OPTIONS)
    for number, size in enumerate(sizes):
        stream.judge(images(size, seed + number), features(size, seed + number), number, "ann", {})
    stream.memory.count_classes(np.full((3, 4), 0.25), 3)
    found = DomainMemory.from_bytes(stream.memory.to_bytes())
    assert found.to_bytes() == stream.memory.to_bytes()
    assert len(found.window) <= WINDOW
    assert found.clients == stream.memory.clients


def test_images_join_the_reference_only_when_they_leave_the_window() -> None:
    memory = DomainMemory()
    rows = features(WINDOW + 3, 1)
    memory.add(Arrival(row, number, 0, None, "admitted") for number, row in enumerate(rows))
    np.testing.assert_array_equal(np.array(memory.reference), rows[:3])


@given(st.integers(8, 60), st.integers(0, 1000))
def test_the_last_part_is_found_as_one_by_one(count: int, seed: int) -> None:
    sample = np.concatenate([features(count, seed), features(12, seed + 1, 1.0)])
    reference = features(100, seed + 2)
    start, z = last_change(sample, reference, 8)
    every = [difference(sample[index:], reference) for index in range(len(sample) - 7)]
    assert z == pytest.approx(max(every)) and every[start] == pytest.approx(z)


def test_broken_features_are_foreign() -> None:
    known = features(50, 1)
    odd = features(3, 2)
    odd[1, 2] = np.nan
    assert np.isinf(foreignness(odd, known)[1])
    assert np.isnan(log_features(np.array([[np.nan] * WIDTH]))).all()

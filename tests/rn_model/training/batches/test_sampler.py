from collections import Counter

import torch
from hypothesis import given
from hypothesis import strategies as st

from rn_model.training.batches.sampler import Shuffled, StepSampler

counts = st.lists(st.integers(1, 9), min_size=1, max_size=4)
seeds = st.integers(0, 2**63 - 1)


@given(st.integers(1, 20), seeds, st.integers(0, 60), st.integers(0, 30))
def test_a_slice_is_part_of_one_endless_sequence(
    count: int, seed: int, begin: int, length: int
) -> None:
    whole = Shuffled(count, seed).slice(0, begin + length)
    assert Shuffled(count, seed).slice(begin, begin + length) == whole[begin:]


@given(st.integers(1, 20), seeds, st.integers(0, 5))
def test_every_image_comes_once_an_epoch(count: int, seed: int, epoch: int) -> None:
    indices = Shuffled(count, seed).slice(epoch * count, (epoch + 1) * count)
    assert sorted(indices) == list(range(count))


def test_epochs_have_orders_of_their_own() -> None:
    order = Shuffled(50, seed=1)
    assert order.slice(0, 50) != order.slice(50, 100)
    assert order.slice(0, 50) != Shuffled(50, seed=2).slice(0, 50)


@given(counts, st.integers(1, 12), seeds, st.integers(1, 12))
def test_several_sets_have_equal_parts_of_every_batch(
    counts: list[int], batch_size: int, seed: int, steps: int
) -> None:
    ends = torch.tensor(counts).cumsum(0)
    totals = [0] * len(counts)
    for batch in StepSampler(counts, batch_size, range(steps), seed):
        assert len(batch) == batch_size
        owners = torch.bucketize(torch.tensor(batch), ends, right=True).tolist()
        parts = [owners.count(number) for number in range(len(counts))]
        assert max(parts) - min(parts) <= 1
        totals = [total + part for total, part in zip(totals, parts, strict=True)]
    assert max(totals) - min(totals) <= 1


@given(counts, st.integers(1, 12), seeds, st.integers(1, 30))
def test_no_image_of_a_set_comes_again_before_all_others(
    counts: list[int], batch_size: int, seed: int, steps: int
) -> None:
    seen = Counter(
        index for batch in StepSampler(counts, batch_size, range(steps), seed) for index in batch
    )
    begin = 0
    for count in counts:
        times = [seen[index] for index in range(begin, begin + count)]
        assert max(times) - min(times) <= 1
        begin += count
    assert set(seen) <= set(range(begin))


@given(counts, st.integers(1, 12), seeds, st.integers(1, 4), st.integers(0, 5))
def test_the_shares_of_processes_make_up_the_batch(
    counts: list[int], batch_size: int, seed: int, size: int, begin: int
) -> None:
    steps = range(begin, begin + 3)
    whole = list(StepSampler(counts, batch_size, steps, seed))
    shares = [list(StepSampler(counts, batch_size, steps, seed, (r, size))) for r in range(size)]
    for number, batch in enumerate(whole):
        parts = [share[number] for share in shares]
        assert sorted(index for part in parts for index in part) == sorted(batch)
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


@given(counts, st.integers(1, 12), seeds, st.integers(0, 10), st.integers(0, 10))
def test_a_resumed_range_gives_the_same_batches(
    counts: list[int], batch_size: int, seed: int, begin: int, more: int
) -> None:
    whole = list(StepSampler(counts, batch_size, range(begin + more), seed))
    resumed = StepSampler(counts, batch_size, range(begin, begin + more), seed)
    assert len(resumed) == more
    assert list(resumed) == whole[begin:]

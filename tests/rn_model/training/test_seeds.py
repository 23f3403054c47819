import torch
from hypothesis import given
from hypothesis import strategies as st

from rn_model.training.seeds import combine_seeds


@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=4))
def test_a_combined_seed_is_one_that_torch_takes(numbers: list[int]) -> None:
    torch.Generator().manual_seed(combine_seeds(*numbers))


def test_neighbouring_numbers_give_unrelated_seeds() -> None:
    seeds = {combine_seeds(a, b) for a in range(40) for b in range(40)}
    assert len(seeds) == 1600
    distances = [bin(combine_seeds(7, n) ^ combine_seeds(7, n + 1)).count("1") for n in range(200)]
    assert 20 < sum(distances) / len(distances) < 43

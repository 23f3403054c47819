"""Derivation of independent random seeds from the seed of a run."""


def combine_seeds(*numbers: int) -> int:
    """Mix several numbers into one seed below 2^63; it depends on their order."""
    state = 0x9E3779B97F4A7C15
    for number in numbers:
        state = ((state ^ (number & 0xFFFFFFFFFFFFFFFF)) * 0xBF58476D1CE4E5B9) % 2**64
        state ^= state >> 29
    return state % 2**63

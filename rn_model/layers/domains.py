"""The two domains of an adaptation, and the split of a training batch between them."""

from typing import Literal, NamedTuple, get_args

Domain = Literal["source", "target"]
DOMAINS: tuple[Domain, ...] = get_args(Domain)


class Split(NamedTuple):
    """Number of source images and of target images in a training batch, source images first."""

    source: int
    target: int


def other_domain(domain: Domain) -> Domain:
    """``"target"`` for ``"source"``, and ``"source"`` for ``"target"``."""
    return "target" if domain == "source" else "source"

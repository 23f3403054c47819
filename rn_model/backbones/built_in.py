"""The built-in networks, by name."""

from collections.abc import Callable, Mapping

from torch import nn

from rn_model.digits.digitnet import DigitNet
from rn_model.digits.lenet import LeNet

NETWORKS: Mapping[str, Callable[..., nn.Module]] = {
    "digits:digitnet": DigitNet,
    "digits:lenet": LeNet,
}
"""Functions that make a whole classifier, by the name in configurations and saved runs."""


def built_in_network(name: str) -> Callable[..., nn.Module] | None:
    """The function that makes a built-in network; None for names without the prefix ``digits:``.

    Raises:
        ValueError: if there is no built-in network of that name.
    """
    if name in NETWORKS or not name.startswith("digits:"):
        return NETWORKS.get(name)
    raise ValueError(f"unknown built-in network {name!r}; choose from {', '.join(NETWORKS)}")

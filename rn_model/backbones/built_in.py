"""The networks that come with the program, by name."""

from collections.abc import Callable, Mapping

from torch import nn

from rn_model.digits.digitnet import DigitNet
from rn_model.digits.lenet import LeNet

NETWORKS: Mapping[str, Callable[..., nn.Module]] = {
    "digits:digitnet": DigitNet,
    "digits:lenet": LeNet,
}
"""Functions that make a whole classifier, by the name that configurations and runs give it."""


def built_in_network(name: str) -> Callable[..., nn.Module] | None:
    """The function that makes a built-in network; None if the name has another form.

    Raises:
        ValueError: if the name has the form of a built-in network, and there is no such network.
    """
    if name in NETWORKS or not name.startswith("digits:"):
        return NETWORKS.get(name)
    raise ValueError(f"there is no built-in network {name!r}; there are {', '.join(NETWORKS)}")

"""Networks to adapt: from a library of models by name, or the user's own."""

from rn_model.backbones.config import BackboneConfig
from rn_model.backbones.making import build, factory_arguments, make_network
from rn_model.backbones.network import AdaptationNetwork, split_parameters

__all__ = [
    "AdaptationNetwork",
    "BackboneConfig",
    "build",
    "factory_arguments",
    "make_network",
    "split_parameters",
]

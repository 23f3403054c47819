"""Backbones: networks from a library of models, built-in networks and the user's own."""

from rn_model.backbones.adaptation_network import AdaptationNetwork, split_parameters
from rn_model.backbones.config import BackboneConfig
from rn_model.backbones.factory import build, factory_arguments, make_network

__all__ = [
    "AdaptationNetwork",
    "BackboneConfig",
    "build",
    "factory_arguments",
    "make_network",
    "split_parameters",
]

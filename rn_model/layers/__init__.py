"""Reciprocal Normalization and its rivals under one interface."""

from rn_model.layers.conversion.config import Normalization, NormalizationName
from rn_model.layers.conversion.convert import NormAct, convert_normalization
from rn_model.layers.conversion.parameters import parameter_groups, project_parameters
from rn_model.layers.rivals.adabn import AdaptiveBatchNorm
from rn_model.layers.rivals.autodial import AutoDial
from rn_model.layers.rivals.batch_norm import MergedBatchNorm
from rn_model.layers.rivals.dsbn import DomainSpecificBatchNorm
from rn_model.layers.rivals.transnorm import TransNorm

__all__ = [
    "AdaptiveBatchNorm",
    "AutoDial",
    "DomainSpecificBatchNorm",
    "MergedBatchNorm",
    "NormAct",
    "Normalization",
    "NormalizationName",
    "TransNorm",
    "convert_normalization",
    "parameter_groups",
    "project_parameters",
]

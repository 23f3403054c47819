"""Reciprocal Normalization and its rivals under one interface."""

from rn_model.normalizations.autodial import AutoDial
from rn_model.normalizations.config import Normalization, NormalizationName
from rn_model.normalizations.conversion import NormAct, convert_normalization
from rn_model.normalizations.merged import MergedBatchNorm
from rn_model.normalizations.separate import AdaptiveBatchNorm, DomainSpecificBatchNorm
from rn_model.normalizations.transnorm import TransNorm
from rn_model.parameters import parameter_groups, project_parameters

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

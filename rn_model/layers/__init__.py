"""Reciprocal Normalization and the normalizations that it is compared with, under one interface.

- :mod:`~rn_model.layers.functional`: the equations of RN: Reciprocal Compensation (RC), Reciprocal
  Aggregation (RA) and its gates.
- :mod:`~rn_model.layers.reciprocal_norm`: the layers of RN.
- :mod:`~rn_model.layers.rivals`: BatchNorm, AdaBN, AutoDIAL, DSBN, TransNorm and CCN.
- :mod:`~rn_model.layers.domain_norm`: the base class of all seven.
- :mod:`~rn_model.layers.domain_split`: which images of a training batch belong to which domain.
- :mod:`~rn_model.layers.conversion`: replaces the BatchNorm layers of a network.
- :mod:`~rn_model.layers.population_moments`: the pass over the data that follows a training.
"""

from rn_model.layers.conversion.config import Normalization, NormalizationName
from rn_model.layers.conversion.convert import NormAct, convert_normalization
from rn_model.layers.conversion.parameters import parameter_groups, project_parameters
from rn_model.layers.rivals.adabn import AdaptiveBatchNorm
from rn_model.layers.rivals.autodial import AutoDial
from rn_model.layers.rivals.batch_norm import MergedBatchNorm
from rn_model.layers.rivals.common_center import CommonCenterNorm
from rn_model.layers.rivals.dsbn import DomainSpecificBatchNorm
from rn_model.layers.rivals.transnorm import TransNorm

__all__ = [
    "AdaptiveBatchNorm",
    "AutoDial",
    "CommonCenterNorm",
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

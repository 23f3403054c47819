"""Reciprocal Normalization (arXiv:2112.10474) and what it takes to adapt a model with it."""

from rn_model.backbones.classifier import classifier_input
from rn_model.layers import (
    Normalization,
    convert_normalization,
    parameter_groups,
    project_parameters,
)
from rn_model.layers.conversion.revert import revert_reciprocal_norm
from rn_model.layers.diagnostics import LayerDiagnostics, layer_diagnostics
from rn_model.layers.domain_norm import DomainNorm, domain_norms, set_branch
from rn_model.layers.domain_split import domain_split
from rn_model.layers.population_moments import estimate_moments
from rn_model.layers.reciprocal_norm import (
    ReciprocalNorm1d,
    ReciprocalNorm2d,
    ReciprocalNorm3d,
)
from rn_model.runs.selection import Candidate, choose, score_predictions

__all__ = [
    "Candidate",
    "DomainNorm",
    "LayerDiagnostics",
    "Normalization",
    "ReciprocalNorm1d",
    "ReciprocalNorm2d",
    "ReciprocalNorm3d",
    "choose",
    "classifier_input",
    "convert_normalization",
    "domain_norms",
    "domain_split",
    "estimate_moments",
    "layer_diagnostics",
    "parameter_groups",
    "project_parameters",
    "revert_reciprocal_norm",
    "score_predictions",
    "set_branch",
]

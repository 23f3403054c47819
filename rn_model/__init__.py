"""Reciprocal Normalization (RN, arXiv:2112.10474) for unsupervised domain adaptation.

- :mod:`rn_model.layers`: RN and the normalizations that it is compared with.
- :mod:`rn_model.objectives`: adaptation objectives such as MCC and CDAN+E.
- :mod:`rn_model.backbones`: networks to adapt.
- :mod:`rn_model.data`, :mod:`rn_model.recipes`, :mod:`rn_model.digits`: data sets, and ready-made
  configurations for known ones.
- :mod:`rn_model.training`: trains on the source and adapts to the target, as ``rn adapt`` does.
- :mod:`rn_model.runs`, :mod:`rn_model.report`, :mod:`rn_model.compare`: saved runs, their reports, and
  comparisons of many runs.

The names listed here are sufficient for a training loop of your own; see ``docs/library.md``.
"""

import bundle  # noqa: F401 - switches the telemetry of libraries off before any of them is imported
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

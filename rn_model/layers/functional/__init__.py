"""The equations of Reciprocal Normalization (RN) as pure functions.

Source: Huang et al., "Reciprocal Normalization for Domain Adaptation", arXiv:2112.10474.

- ``compensation``: Reciprocal Compensation (RC, section 3.2) is :func:`reciprocal_compensation`, a kernel
  regression of one domain's moments on the other domain's; its softmax is :func:`correlation`, and its
  groups of channels are those of :func:`group_width`.
- ``aggregation``: Reciprocal Aggregation (RA, section 3.3) is :func:`reciprocal_aggregation`, a gated
  average of a domain's moments and their compensation.
- ``gates``: :func:`project_gate` keeps the gates of RA in their range.

In all of them a moment is a vector ``(C,)`` of means or of variances, or a stack of such vectors
``(*, C)``. ``own`` belongs to the domain d that is being normalized, ``other`` to the other domain d'.
"""

from rn_model.layers.functional.aggregation import reciprocal_aggregation
from rn_model.layers.functional.compensation import (
    Similarity,
    correlation,
    group_width,
    reciprocal_compensation,
)
from rn_model.layers.functional.gates import project_gate

__all__ = [
    "Similarity",
    "correlation",
    "group_width",
    "project_gate",
    "reciprocal_aggregation",
    "reciprocal_compensation",
]

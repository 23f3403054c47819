"""The configuration of the normalization that a network is converted to."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from rn_model.layers.functional import Similarity

NormalizationName = Literal["bn", "adabn", "autodial", "dsbn", "transnorm", "ccn", "rn"]


class Normalization(BaseModel):
    """The normalization that replaces a network's BatchNorm layers.

    Attributes:
        kind: method: ``"bn"``, ``"adabn"``, ``"autodial"``, ``"dsbn"``, ``"transnorm"``, ``"ccn"`` or
            ``"rn"``. The other fields apply only to ``"rn"``; see :class:`rn_model.ReciprocalNorm1d`.
        correlation_scale: factor inside RC's softmax.
        similarity: similarity of the keys of two groups of channels.
        compensation: whether to use RC.
        aggregation: whether to learn the gates of RA.
        gate_floor: lower end of the gates' range.
        groups: number of rows of the correlation; None for the paper's rule.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: NormalizationName = "rn"
    correlation_scale: float = 1.0
    similarity: Similarity = "squared"
    compensation: bool = True
    aggregation: bool = True
    gate_floor: float = Field(default=0.5, ge=0, le=1)
    groups: int | None = Field(default=None, ge=1)

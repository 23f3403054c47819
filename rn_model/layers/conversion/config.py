"""Which normalization a network gets, as a configuration says it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from rn_model.layers.functional import Similarity

NormalizationName = Literal["bn", "adabn", "autodial", "dsbn", "transnorm", "rn"]


class Normalization(BaseModel):
    """What a network's BatchNorm layers are converted to.

    Attributes:
        kind: the method. All other fields are of ``"rn"`` alone, as of
            :class:`rn_model.ReciprocalNorm1d`.
        correlation_scale: factor inside RC's softmax.
        similarity: of two groups' keys.
        compensation: whether RC is done.
        aggregation: whether the gates of RA are learned.
        gate_floor: lower end of their range.
        groups: rows of the correlation; None for the paper's rule.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: NormalizationName = "rn"
    correlation_scale: float = 1.0
    similarity: Similarity = "squared"
    compensation: bool = True
    aggregation: bool = True
    gate_floor: float = Field(default=0.5, ge=0, le=1)
    groups: int | None = Field(default=None, ge=1)

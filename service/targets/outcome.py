"""The outcome of a request to adapt."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from service.adaptation.outcome import BatchOutcome, NotAdmitted
from service.ledger.records import VersionRecord


@dataclass(frozen=True)
class AdaptOutcome:
    """The outcome of a request: of its images, and of the version that they completed.

    Attributes:
        received: number of images in the batch.
        admitted: number of images that moved the statistics; earlier held ones may be among them.
        held: number of outliers that are held in memory.
        not_admitted: images of the batch that did not move the statistics.
        alarm: why nothing of the batch was admitted, if it was alarming.
        new_domain: whether held images were admitted as a new domain.
        pending: number of admitted images that are in no version yet.
        serving: number of the version that is served afterwards.
        made: the version that this batch completed, published or rejected.
    """

    received: int
    admitted: int
    held: int
    not_admitted: Sequence[NotAdmitted]
    alarm: str | None
    new_domain: bool
    pending: int
    serving: int
    made: VersionRecord | None = None

    @classmethod
    def of_batch(cls, batch: BatchOutcome, serving: int) -> "AdaptOutcome":
        """The outcome of a batch that completes no version."""
        return cls(
            received=batch.received,
            admitted=batch.admitted,
            held=batch.held,
            not_admitted=tuple(batch.not_admitted),
            alarm=batch.alarm,
            new_domain=batch.new_domain,
            pending=batch.state.pending,
            serving=serving,
        )

    def completing(self, version: VersionRecord) -> "AdaptOutcome":
        """The outcome of a batch that completed a version."""
        serving = version.number if version.status == "published" else self.serving
        return replace(self, made=version, pending=0, serving=serving)

    def to_json(self) -> dict[str, Any]:
        """JSON values, as receipts keep them; the inverse of :meth:`from_json`."""
        return {**asdict(self), "not_admitted": [asdict(image) for image in self.not_admitted]}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "AdaptOutcome":
        """Read what :meth:`to_json` wrote."""
        made = values["made"]
        return cls(
            **{
                **values,
                "not_admitted": tuple(NotAdmitted(**image) for image in values["not_admitted"]),
                "made": None if made is None else VersionRecord(**made),
            }
        )

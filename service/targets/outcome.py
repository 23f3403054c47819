"""The outcome of a request to adapt."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.adaptation.outcome import BatchOutcome, NotAdmitted
from service.ledger.records import VersionRecord


@dataclass(frozen=True)
class AdaptOutcome:
    """The outcome of a request: of its images, and of the version that they completed.

    Attributes:
        received: number of images in the batch.
        admitted: number of images that moved the statistics; earlier held ones may be among them.
        held: number of images that wait for more evidence of a change, or are foreign.
        not_admitted: images of the batch that did not move the statistics.
        alarm: what is alarming about the batch, if anything is.
        new_domain: whether a domain began that was never seen before.
        pending: number of admitted images that are in no version yet.
        serving: number of the version that is served afterwards.
        made: the version that this batch completed: published, proposed or rejected.
        batch: name of the batch; None if nothing of it was admitted.
        domain: number of the domain that the target is in.
        recalled: whether an earlier domain has come back.
        rolled_back: why the served version was rolled back; None if it was not.
        dry_run: whether nothing was changed or recorded.
        probabilities: predictions ``(N, K)`` for the batch, if they were asked for; they are not stored.
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
    batch: str | None = None
    domain: int = 0
    recalled: bool = False
    rolled_back: str | None = None
    dry_run: bool = False
    probabilities: NDArray[np.float64] | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of_batch(cls, batch: BatchOutcome, serving: int, key: str | None = None) -> "AdaptOutcome":
        """The outcome of a batch that completes no version.

        Args:
            batch: what became of its images.
            serving: number of the version that is served afterwards.
            key: name of the batch.
        """
        return cls(
            received=batch.received,
            admitted=batch.admitted,
            held=batch.held,
            not_admitted=tuple(batch.not_admitted),
            alarm=batch.alarm,
            new_domain=batch.new_domain,
            pending=batch.state.pending,
            serving=serving,
            batch=key if batch.admitted else None,
            domain=batch.state.domain,
            recalled=batch.recalled,
        )

    def completing(self, version: VersionRecord, pending: int) -> "AdaptOutcome":
        """The outcome of a batch that completed a version.

        Args:
            version: the version.
            pending: number of admitted images that are in no version afterwards.
        """
        serving = version.number if version.status == "published" else self.serving
        return replace(self, made=version, pending=pending, serving=serving)

    def rolled_back_to(self, version: int, reason: str) -> "AdaptOutcome":
        """The outcome of a batch after which the served version was rolled back."""
        return replace(self, serving=version, rolled_back=reason, pending=0)

    def to_json(self) -> dict[str, Any]:
        """JSON values, as receipts keep them; the inverse of :meth:`from_json`."""
        values = asdict(replace(self, probabilities=None))
        return {**values, "not_admitted": [asdict(image) for image in self.not_admitted]}

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

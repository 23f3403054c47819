"""Requests that are repeated under the same key count once."""

from dataclasses import dataclass

from service.errors import KeyReused
from service.ledger.ledger import Ledger
from service.ledger.records import Receipt, Target
from service.targets.outcome import AdaptOutcome


@dataclass(frozen=True)
class Idempotency:
    """The key that a client gave a request.

    Attributes:
        key: the key.
        request: hash by which the same request is recognized.
    """

    key: str
    request: str

    def receipt(self, outcome: AdaptOutcome) -> Receipt:
        """The receipt of an outcome under this key."""
        return Receipt(self.key, self.request, outcome.to_json())


def replay(ledger: Ledger, target: Target, idempotency: Idempotency) -> AdaptOutcome | None:
    """The outcome that was acknowledged under a key before; None if the key is new.

    Raises:
        KeyReused: if the key was used for another request.
    """
    receipt = ledger.receipt(target, idempotency.key)
    if receipt is None:
        return None
    if receipt.request != idempotency.request:
        raise KeyReused("this Idempotency-Key was used for another request; choose a new one")
    return AdaptOutcome.from_json(receipt.outcome)

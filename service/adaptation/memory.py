"""What is remembered of the images of one domain: features and digests, never pixels, except of a few.

The pixels of the last images are kept in this process only, because a new domain begins with the images
that showed it; they do not survive a restart.
"""

import hashlib
import io
import json
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.preprocessing import Pixels
from service.adaptation.change import Features, log_features, stack
from service.vocabulary import Verdict

WINDOW = 64
REFERENCE = 512
MAX_DIGESTS = 4096
MAX_SHARES = 1024.0
_VERDICTS: tuple[Verdict, ...] = ("admitted", "outlier", "held")


@dataclass(frozen=True)
class Arrival:
    """One image among the last ones.

    Attributes:
        features: logarithms of its input features, ``(F,)``.
        digest: digest of its pixels.
        request: number of the request that brought it.
        client: name of the client's key; None if it has none.
        verdict: whether it moved the statistics.
        image: its pixels ``(H, W, C)``; None after a restart.
    """

    features: Features
    digest: int
    request: int
    client: str | None
    verdict: Verdict
    image: Pixels | None = None


@dataclass
class DomainMemory:
    """What is remembered of a domain.

    Images enter the reference only when they leave the window of the last ones: a domain that arrives
    slowly would be compared with itself otherwise.

    Attributes:
        reference: features of earlier admitted images, oldest first.
        window: the last images, whatever became of them.
        digests: digests of admitted images, oldest first, by which duplicates are recognized.
        clients: names of the clients that gave admitted images.
        exported: whether it is the domain that the bundle was exported for.
        shares: sum of the predictions of its admitted images, ``(K,)``, older ones fading; empty before
            the first.
    """

    reference: deque[Features] = field(default_factory=lambda: deque(maxlen=REFERENCE))
    window: deque[Arrival] = field(default_factory=deque)
    digests: dict[int, None] = field(default_factory=dict)
    clients: set[str | None] = field(default_factory=set)
    exported: bool = False
    shares: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def count_classes(self, probabilities: NDArray[np.float64], images: int) -> None:
        """Add predictions ``(N, K)`` of admitted images, which stand for a number of images."""
        added = probabilities.mean(axis=0) * images
        self.shares = (self.shares if self.shares.size else 0) + added
        total = float(self.shares.sum())
        if total > MAX_SHARES:
            self.shares = self.shares * (MAX_SHARES / total)

    def add(self, arrivals: Iterable[Arrival]) -> None:
        """Add images in the order of their arrival."""
        for arrival in arrivals:
            self.window.append(arrival)
            if arrival.verdict == "admitted":
                self.digests[arrival.digest] = None
                self.clients.add(arrival.client)
        while len(self.window) > WINDOW:
            self._retire(self.window.popleft())
        while len(self.digests) > MAX_DIGESTS:
            del self.digests[next(iter(self.digests))]

    def copy(self) -> "DomainMemory":
        """A copy that does not change with this one; the pixels are shared."""
        return DomainMemory(
            reference=deque(self.reference, maxlen=REFERENCE),
            window=deque(self.window),
            digests=dict(self.digests),
            clients=set(self.clients),
            exported=self.exported,
            shares=self.shares,
        )

    def close(self, kept: Sequence[Arrival]) -> None:
        """Move the window to the reference, without some images that belong to another domain."""
        foreign = {id(arrival) for arrival in kept}
        for arrival in self.window:
            if id(arrival) not in foreign:
                self._retire(arrival)
        self.window.clear()

    def _retire(self, arrival: Arrival) -> None:
        if arrival.verdict == "admitted":
            self.reference.append(arrival.features)

    @property
    def known(self) -> Features:
        """Features ``(N, F)`` of all admitted images that are remembered."""
        recent = [arrival.features for arrival in self.window if arrival.verdict == "admitted"]
        return stack([*self.reference, *recent], 0)

    @property
    def held(self) -> int:
        """Number of images among the last ones that did not move the statistics."""
        return sum(arrival.verdict != "admitted" for arrival in self.window)

    def to_bytes(self) -> bytes:
        """Everything but pixels; the inverse of :meth:`from_bytes`."""
        buffer = io.BytesIO()
        window = self.window
        clients = json.dumps(
            {
                "known": sorted(str(client) for client in self.clients if client is not None),
                "anonymous": None in self.clients,
                "exported": self.exported,
                "window": [arrival.client for arrival in window],
            }
        )
        np.savez(
            buffer,
            reference=np.array(self.reference, np.float64),
            digests=np.array(list(self.digests), np.uint64),
            features=np.array([arrival.features for arrival in window], np.float64),
            window=np.array([arrival.digest for arrival in window], np.uint64),
            requests=np.array([arrival.request for arrival in window], np.int64),
            verdicts=np.array([_VERDICTS.index(a.verdict) for a in window], np.uint8),
            clients=np.frombuffer(clients.encode(), np.uint8),
            shares=self.shares,
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "DomainMemory":
        """Read what :meth:`to_bytes` wrote."""
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
        if "calibrated" in found:
            return cls._from_snapshot(found)
        clients = json.loads(found["clients"].tobytes())
        memory = cls(digests=dict.fromkeys(int(value) for value in found["digests"]))
        memory.reference.extend(found["reference"])
        rows = zip(
            found["features"],
            found["window"],
            found["requests"],
            clients["window"],
            found["verdicts"],
            strict=True,
        )
        memory.window.extend(
            Arrival(features, int(digest), int(request), client, _VERDICTS[verdict])
            for features, digest, request, client, verdict in rows
        )
        memory.clients = {*clients["known"], *([None] if clients["anonymous"] else [])}
        memory.exported = clients["exported"]
        memory.shares = found["shares"]
        return memory

    @classmethod
    def _from_snapshot(cls, found: dict[str, NDArray[Any]]) -> "DomainMemory":
        """Read what earlier versions of this program wrote."""
        memory = cls(digests=dict.fromkeys(int(value) for value in found["digests"]))
        if found["features"].size:
            memory.reference.extend(log_features(found["features"]))
        memory.exported = bool(found["calibrated"])
        return memory


def digest(image: Pixels) -> int:
    """64-bit digest of an image's pixels."""
    return int.from_bytes(hashlib.blake2b(image.tobytes(), digest_size=8).digest())

"""Follows the domain of a target: what belongs to it, when it changes, and whether it is an earlier one.

Pure bookkeeping over input features: nothing is run, read or written here.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bundle.preprocessing import Pixels
from service.adaptation.change import (
    MAD_TO_DEVIATION,
    SINGLE,
    Features,
    difference,
    foreignness,
    last_change,
    raw_features,
    stack,
)
from service.adaptation.memory import Arrival, DomainMemory, digest
from service.vocabulary import Verdict

# Fewer images are not enough to say what is normal.
MIN_REFERENCE = 32
# A part of the last images that is at least this long can raise a suspicion.
MIN_PART = 8
# Foreign images are a minority of junk; a majority of them is a change.
MAJORITY = 0.5
# In units of the full pixel range.
MIN_RAW_SPREAD = 0.01


@dataclass(frozen=True)
class TrackerOptions:
    """Thresholds of a tracker.

    Attributes:
        outlier: robust z-score of an input feature above which a single image is foreign.
        change: difference from the reference, in standard errors, above which the domain has changed.
        recall: difference below which the images belong to an earlier domain.
        images: number of images that must show a change.
        requests: number of requests that they must come from.
    """

    outlier: float
    change: float
    recall: float
    images: int
    requests: int


class Found(NamedTuple):
    """A change of the domain.

    Attributes:
        recalled: number of the earlier domain that has come back; None if it is a new one.
        part: the images that showed it.
        z: difference from the domain before, in standard errors.
    """

    recalled: int | None
    part: Sequence[Arrival]
    z: float


class Profile(NamedTuple):
    """What is normal for single images where none were admitted: median and spread of each feature."""

    median: Sequence[float]
    spread: Sequence[float]

    def foreignness(self, features: Features) -> NDArray[np.float64]:
        """See :func:`service.adaptation.change.foreignness`; here the features are no logarithms."""
        raw = raw_features(features)[:, :SINGLE]
        median, spread = (np.array(values[:SINGLE]) for values in self)
        z = np.abs(raw - median) / np.maximum(MAD_TO_DEVIATION * spread, MIN_RAW_SPREAD)
        return np.where(np.isfinite(features).all(axis=1), z.max(axis=1, initial=0), np.inf)


class Judgement(NamedTuple):
    """What became of images.

    Attributes:
        verdicts: verdicts in their order.
        found: the change that they complete, if they do.
        arrivals: the images that are new, as they are remembered.
    """

    verdicts: list[Verdict]
    found: Found | None
    arrivals: list[Arrival]


class Tracker:
    """Judges images by those before them.

    Args:
        options: thresholds.
        profile: what is normal for single images of the domain that the bundle was exported for.

    Attributes:
        memory: memory of the domain that the target is in.
    """

    def __init__(self, options: TrackerOptions, profile: Profile | None = None) -> None:
        self._options = options
        self._profile = profile
        self.memory = DomainMemory()
        # Of the requests in a row that show a change: who sent each, and how many such images it has.
        self._witnesses: dict[int, tuple[str | None, int]] = {}

    def judge(
        self,
        images: Sequence[Pixels],
        features: Features,
        request: int,
        client: str | None,
        earlier: Mapping[int, Features],
        *,
        may_change: bool = True,
    ) -> Judgement:
        """Judge images, and remember them.

        Args:
            images: images of one request, each ``(H, W, C)``.
            features: logarithms of their input features, ``(N, F)``.
            request: number of the request.
            client: name of the client's key.
            earlier: references ``(M, F)`` of earlier domains by number, the likeliest first.
            may_change: whether a change may be found now.
        """
        verdicts, arrivals, places = self._first_verdicts(images, features, request, client)
        pool = self._pool([*self.memory.window, *arrivals])
        part, z = self._suspicious(pool)
        if _mostly_foreign(part) and not _mostly_foreign(arrivals):
            # What differs came before these images; they look as they should.
            part = []
        self._continue(part, request, client)
        if part and may_change and self._enough(part):
            belongs = {arrival.digest for arrival in part}
            for place, arrival in zip(places, arrivals, strict=True):
                if arrival.digest in belongs:
                    verdicts[place] = "admitted"
                elif arrival.verdict == "admitted":
                    # It came before the change, or is in between: of neither domain for sure.
                    verdicts[place] = "held"
            return Judgement(verdicts, self._find(part, z, earlier), arrivals)
        suspected = {arrival.digest for arrival in part}
        arrivals = [_held(a) if a.digest in suspected else a for a in arrivals]
        for place, arrival in zip(places, arrivals, strict=True):
            verdicts[place] = arrival.verdict
        self.memory.add(arrivals)
        return Judgement(verdicts, None, arrivals)

    def judge_archive(
        self, sample: Sequence[Arrival], earlier: Mapping[int, Features]
    ) -> Found | None:
        """Judge images of an archive, which are their own evidence of a change; remember them otherwise.

        Args:
            sample: some of its images, as many as decide about single images of requests.
            earlier: references ``(M, F)`` of earlier domains by number, the likeliest first.

        Returns:
            The domain that they are of; None if it is the one that the target is in.
        """
        known = self.memory.known
        if len(known) >= MIN_REFERENCE:
            z = difference(stack([arrival.features for arrival in sample], 0), known)
            if z >= self._options.change:
                return self._find(sample, z, earlier)
        self.memory.add(sample)
        return None

    def snapshot(self) -> Callable[[], None]:
        """Remember what is remembered now.

        Returns:
            Goes back to it.
        """
        memory, witnesses = self.memory.copy(), dict(self._witnesses)

        def restore() -> None:
            self.memory, self._witnesses = memory, witnesses

        return restore

    def nearest(self, part: Sequence[Arrival], earlier: Mapping[int, Features]) -> int | None:
        """Number of the earlier domain that images seem to belong to; None if they seem new."""
        return self._find(part, 0.0, earlier).recalled

    def enter(self, found: Found, memory: DomainMemory) -> DomainMemory:
        """Go to another domain.

        Args:
            found: the change.
            memory: what is remembered of the domain that begins; empty if it is new.

        Returns:
            The memory of the domain before, as it is to be kept.
        """
        left = self.memory
        self._witnesses.clear()
        left.close(found.part)
        self.memory = memory
        self.memory.add(replace(arrival, verdict="admitted") for arrival in found.part)
        return left

    def _first_verdicts(
        self, images: Sequence[Pixels], features: Features, request: int, client: str | None
    ) -> tuple[list[Verdict], list[Arrival], list[int]]:
        """Verdicts on single images; the images that are new, and their places."""
        waiting = {a.digest: a.verdict for a in self.memory.window if a.verdict != "admitted"}
        foreign = self._foreign(features)
        verdicts: list[Verdict] = []
        arrivals: list[Arrival] = []
        places: list[int] = []
        seen: set[int] = set()
        for place, (image, row) in enumerate(zip(images, features, strict=True)):
            name = digest(image)
            if name in self.memory.digests or name in seen:
                verdicts.append("duplicate")
            elif name in waiting:
                # Sent again; it waits already.
                verdicts.append(waiting[name])
            else:
                verdicts.append("outlier" if foreign[place] else "admitted")
                arrivals.append(Arrival(row, name, request, client, verdicts[-1], image))
                places.append(place)
            seen.add(name)
        return verdicts, arrivals, places

    def _foreign(self, features: Features) -> Any:
        known = self.memory.known
        if len(known) < MIN_REFERENCE:
            if self._profile is None or not self.memory.exported:
                return ~np.isfinite(features).all(axis=1)
            return self._profile.foreignness(features) > self._options.outlier
        return foreignness(features, known) > self._options.outlier

    def _pool(self, recent: Sequence[Arrival]) -> list[Arrival]:
        """The last images, without junk among them."""
        last = [a for a in recent[-64:] if np.isfinite(a.features).all()]
        outliers = sum(arrival.verdict == "outlier" for arrival in last)
        if outliers > MAJORITY * len(last):
            return last
        return [arrival for arrival in last if arrival.verdict != "outlier"]

    def _suspicious(self, pool: Sequence[Arrival]) -> tuple[list[Arrival], float]:
        """The last images that differ from the reference, and by how much; none if they do not."""
        reference = stack(list(self.memory.reference), 0)
        if len(reference) < MIN_REFERENCE or len(pool) < MIN_PART:
            return [], 0.0
        sample = stack([arrival.features for arrival in pool], reference.shape[1])
        start, z = last_change(sample, reference, MIN_PART)
        return (list(pool[start:]), z) if z >= self._options.change else ([], z)

    def _continue(self, part: Sequence[Arrival], request: int, client: str | None) -> None:
        """Count the requests in a row that show a change."""
        own = sum(arrival.request == request for arrival in part)
        if not part:
            self._witnesses.clear()
        elif own:
            _, before = self._witnesses.get(request, (client, 0))
            self._witnesses[request] = (client, max(before, own))

    def _enough(self, part: Sequence[Arrival]) -> bool:
        """Whether enough images of enough requests show a change, and not one client among several."""
        if len(part) < self._options.images or len(self._witnesses) < self._options.requests:
            return False
        if len(self.memory.clients) < 2:
            return True
        images: Counter[str | None] = Counter()
        for client, count in self._witnesses.values():
            images[client] += count
        largest = max(images.values())
        return images.total() - largest >= self._options.images / 2

    def _find(self, part: Sequence[Arrival], z: float, earlier: Mapping[int, Features]) -> Found:
        sample = stack([arrival.features for arrival in part], 0)
        for number, reference in earlier.items():
            fits = len(reference) >= MIN_REFERENCE
            if fits and difference(sample, reference) < self._options.recall:
                return Found(number, part, z)
        return Found(None, part, z)


def _mostly_foreign(arrivals: Sequence[Arrival]) -> bool:
    outliers = sum(arrival.verdict == "outlier" for arrival in arrivals)
    return outliers > MAJORITY * len(arrivals)


def _held(arrival: Arrival) -> Arrival:
    return replace(arrival, verdict="held") if arrival.verdict == "admitted" else arrival

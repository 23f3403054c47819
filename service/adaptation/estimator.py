"""From posted images to a new online state: admit, observe, merge; and to another domain, if it changed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bundle.loaded import Bundle
from bundle.moments import FlatMoments
from bundle.preprocessing import Pixels
from bundle.scores import softmax
from service.adaptation.archive import Archive
from service.adaptation.change import Features, log_features, stack, typicality
from service.adaptation.memory import Arrival, DomainMemory
from service.adaptation.observer import Observation, Observer, representative
from service.adaptation.outcome import BatchOutcome, Left, NotAdmitted
from service.adaptation.state import EXPORTED_DOMAIN, OnlineState
from service.adaptation.tracker import Found, Judgement, Profile, Tracker, TrackerOptions
from service.guards.class_shares import image_weights
from service.inference.background import AT_ONCE, Pieces
from service.settings import Settings
from service.vocabulary import NotAdmittedKind

REASONS: dict[NotAdmittedKind, str] = {
    "duplicate": "duplicate of an image that was admitted before",
    "outlier": "unlike the images admitted before",
    "held": "seems to show a change of the domain; more images, of other requests, have to confirm it",
}

# Images that make it worth while to answer a batch as one of another domain.
MIN_CHANGED = 8
# Standard deviation of the images' weights from which on they are worth a second pass.
MIN_UNEVENNESS = 0.25


class Earlier(NamedTuple):
    """A domain that may come back: its state, and what is remembered of its images."""

    state: OnlineState
    memory: bytes


class Occasion(NamedTuple):
    """What a request comes from, and what its target has been through.

    Attributes:
        request: number of the request.
        client: name of the key of the client.
        earlier: domains that may come back, by number, the likeliest first.
        new_number: number of the domain that begins if a new one does.
    """

    request: int = 0
    client: str | None = None
    earlier: Mapping[int, Earlier] = MappingProxyType({})
    new_number: int = 1


@dataclass
class _Running:
    """What has become of a batch so far."""

    state: OnlineState
    predict: bool
    admitted: list[Pixels] = field(default_factory=list)
    merged: OnlineState | None = None
    not_admitted: list[NotAdmitted] = field(default_factory=list)
    logits: list[tuple[int, NDArray[np.float32] | None]] = field(default_factory=list)
    probabilities: list[tuple[NDArray[np.float64], int]] = field(default_factory=list)
    left: Left | None = None
    found: Found | None = None
    arrivals: list[Arrival] = field(default_factory=list)
    seen: int = 0


class MomentEstimator:
    """Estimates the moments of the domain from batches; remembers what it admitted, and nothing else.

    Args:
        bundle: the bundle that is adapted.
        settings: thresholds and counts.
        background: runs what predictions come before.

    Attributes:
        first_state: state of version 0.
        first_memory: what is remembered of the images that the bundle was exported with.
        reader: reads the features of images.
    """

    def __init__(self, bundle: Bundle, settings: Settings, background: Pieces = AT_ONCE) -> None:
        self._max_count = settings.max_count
        self._observer = Observer(bundle, settings, background)
        self.reader = self._observer.reader
        base = bundle.manifest.target
        # The graphs of earlier bundles do not know the base moments: they are contained in the state.
        known = bundle.manifest.estimator is not None
        count = 0.0 if known else settings.prior_count or base.prior_count
        self.first_state = OnlineState(bundle.target, count)
        options = TrackerOptions(
            outlier=settings.admission_threshold,
            change=settings.change_threshold,
            recall=settings.recall_threshold,
            images=settings.change_images,
            requests=settings.change_requests,
        )
        # What is normal for source images does not say what is normal for target images.
        of_target = base.origin == "target"
        profile = bundle.manifest.input_profile if of_target else None
        self._tracker = Tracker(
            options, None if profile is None else Profile(profile.median, profile.spread)
        )
        memory = DomainMemory(exported=True)
        guards = bundle.manifest.guards
        if of_target and guards is not None:
            memory.reference.extend(log_features(np.array(guards.features)))
        self.first_memory = memory.to_bytes()

    def restore(self, memory: DomainMemory) -> None:
        """Return to what was remembered, and forget what was admitted or held since."""
        self._tracker.memory = memory

    def snapshot(self) -> Callable[[], None]:
        """Remember what was admitted and held until now; what is returned goes back to it."""
        return self._tracker.snapshot()

    @property
    def memory(self) -> bytes:
        """What is remembered of the domain, with all its batches."""
        return self._tracker.memory.to_bytes()

    def merge_batch(
        self,
        images: Sequence[Pixels],
        state: OnlineState,
        occasion: Occasion,
        *,
        predict: bool = True,
    ) -> BatchOutcome:
        """Admit the images that belong to the domain, and merge them into its state.

        Args:
            images: one image or more, each ``(H, W, C)`` uint8.
            state: state before the batch.
            occasion: the request that brings them.
            predict: whether predictions of the images are wanted. In the exported domain it is the served
                version that predicts: there a batch of few classes says more of these than of the domain.
                Elsewhere the network that observed the batch does.
        """
        references = _references(occasion.earlier)
        run = _Running(state, predict)
        for part in self._observer.parts(images):
            self._add_part(run, part, occasion, references)
        return self._outcome(run, len(images))

    def merge_archive(
        self, archive: Archive, state: OnlineState, occasion: Occasion
    ) -> BatchOutcome:
        """Merge the moments of images that were observed elsewhere.

        Args:
            archive: what was observed of them.
            state, occasion: see :meth:`merge_batch`.
        """
        sample = archive.arrivals(occasion.request, occasion.client)
        found = self._tracker.judge_archive(sample, _references(occasion.earlier))
        run = _Running(state, predict=False, seen=archive.images)
        if found is not None:
            self._change(run, found, occasion)
        memory = self._tracker.memory
        memory.count_classes(archive.shares[None] / archive.images, archive.images)
        run.state = run.state.merge(
            archive.moments, archive.images, self._max_count, archive.weight
        )
        run.merged = OnlineState(archive.moments, archive.weight)
        run.arrivals = sample
        run.probabilities = [(archive.shares[None] / archive.images, archive.images)]
        return replace(self._outcome(run, archive.images), elsewhere=archive.images)

    def _add_part(
        self,
        run: _Running,
        part: Sequence[Pixels],
        occasion: Occasion,
        references: Mapping[int, Features],
    ) -> None:
        away = run.predict and run.state.domain != EXPORTED_DOMAIN
        observed = self._observer.observe(part, run.state) if away else None
        features = self._observer.features(part) if observed is None else observed.features
        judgement = self._tracker.judge(
            part,
            log_features(features),
            occasion.request,
            occasion.client,
            references,
            may_change=run.left is None,
        )
        run.arrivals += judgement.arrivals
        if judgement.found is not None:
            self._enter(run, judgement.found, occasion)
            if run.predict:
                observed = self._observer.observe(part, run.state)
        else:
            self._merge(run, part, observed, judgement)
            held = [a for a in judgement.arrivals if a.verdict != "admitted"]
            if run.predict and len(held) >= MIN_CHANGED and len(held) > len(part) / 2:
                # Nothing is sure yet, but its own answers need not wait.
                start = self._start(self._tracker.nearest(held, references), occasion)
                observed = self._observer.observe(part, start)
        run.logits.append((len(part), None if observed is None else observed.logits))
        run.not_admitted += [
            NotAdmitted(run.seen + index, verdict, REASONS[verdict])
            for index, verdict in enumerate(judgement.verdicts)
            if verdict != "admitted"
        ]
        run.seen += len(part)

    def _merge(
        self,
        run: _Running,
        part: Sequence[Pixels],
        observed: Observation | None,
        judgement: Judgement,
    ) -> None:
        """Merge what was admitted of a part."""
        chosen = [index for index, v in enumerate(judgement.verdicts) if v == "admitted"]
        if not chosen:
            return
        images = [part[index] for index in chosen]
        self._add(run, images, observed if len(chosen) == len(part) else None)

    def _add(
        self, run: _Running, images: Sequence[Pixels], observed: Observation | None = None
    ) -> None:
        """Merge images, weighted so that frequent classes do not decide alone, nor foreign images much.

        Args:
            run: what the images are added to.
            images: the images.
            observed: what was observed of just these; None if they, or enough of them, are to be observed
                here.
        """
        chosen = images
        if observed is None:
            chosen = representative(images, run.state.count)
            observed = self._observer.observe(chosen, run.state)
        memory = self._tracker.memory
        probabilities = softmax(observed.logits)
        memory.count_classes(probabilities, len(images))
        run.probabilities.append((probabilities, len(images)))
        weights = image_weights(probabilities, memory.shares)
        weights = weights * typicality(log_features(observed.features))
        weight = float(len(images))
        if weights.std() > MIN_UNEVENNESS:
            # A second pass, because the classes are known only after the first.
            observed = self._observer.observe(chosen, run.state, weights)
            weight *= float(weights.mean())
        moments = rounded(observed.moments)
        empty = OnlineState(moments, 0.0)
        run.merged = (run.merged or empty).merge(moments, len(images), float("inf"), weight)
        run.state = run.state.merge(moments, len(images), self._max_count, weight)
        run.admitted += images

    def _enter(self, run: _Running, found: Found, occasion: Occasion) -> None:
        """Go to the domain that the images show; what came before in the batch stays where it was."""
        self._change(run, found, occasion)
        run.admitted, run.merged, run.probabilities = [], None, []
        images = [arrival.image for arrival in found.part if arrival.image is not None]
        for part in self._observer.parts(images):
            self._add(run, part)

    def _change(self, run: _Running, found: Found, occasion: Occasion) -> None:
        """Leave the domain for another one, in the state in which it begins or goes on."""
        before = run.state
        number = found.recalled
        memory = (
            DomainMemory()
            if number is None
            else DomainMemory.from_bytes(occasion.earlier[number].memory)
        )
        run.state = self._start(number, occasion)
        left = self._tracker.enter(found, memory)
        run.left, run.found = Left(before, left.to_bytes()), found

    def _start(self, number: int | None, occasion: Occasion) -> OnlineState:
        """The state in which a domain begins, or goes on."""
        if number is None:
            return replace(self.first_state, domain=occasion.new_number)
        return occasion.earlier[number].state.without_pending()

    def _outcome(self, run: _Running, received: int) -> BatchOutcome:
        own = DomainMemory()
        own.window.extend(run.arrivals)
        for probabilities, count in run.probabilities:
            own.count_classes(probabilities, count)
        moments = None
        if run.merged is not None:
            moments = rounded(run.merged.moments)
        return BatchOutcome(
            received=received,
            images=run.admitted,
            not_admitted=run.not_admitted,
            state=run.state,
            moments=moments,
            weight=0.0 if run.merged is None else run.merged.count,
            memory=own.to_bytes(),
            held=self._tracker.memory.held,
            alarm=_alarm(run, received),
            left=run.left,
            recalled=run.found is not None and run.found.recalled is not None,
            logits=run.logits,
        )


def _references(earlier: Mapping[int, Earlier]) -> dict[int, Features]:
    """Features of the images of earlier domains, by number."""
    return {
        number: stack(list(DomainMemory.from_bytes(domain.memory).reference), 0)
        for number, domain in earlier.items()
    }


def _alarm(run: _Running, received: int) -> str | None:
    if run.found is not None:
        known = run.found.recalled is not None
        what = "an earlier domain has come back" if known else "the domain has changed"
        return f"{what}: the images differ from those before by {run.found.z:.0f} standard errors"
    strange = sum(image.kind in ("outlier", "held") for image in run.not_admitted)
    if strange > received / 2:
        return f"{strange} of {received} images are unlike the images admitted before"
    return None


def rounded(moments: FlatMoments) -> FlatMoments:
    """The moments as the ledger keeps them, so that a restart finds the same state."""
    mean, variance = (value.astype(np.float32).astype(np.float64) for value in moments)
    return FlatMoments(mean, variance)

"""Translates what the core returns into bodies of answers."""

from collections.abc import Sequence

from service.ledger.records import Event, Page, Target, VersionRecord
from service.schemas import (
    AdaptResult,
    EventInfo,
    EventPage,
    ImageNotAdmitted,
    TargetInfo,
    VersionInfo,
)
from service.targets.outcome import AdaptOutcome


def describe_version(version: VersionRecord) -> VersionInfo:
    """The body that describes a version."""
    return VersionInfo.model_validate(version)


def describe_target(
    target: Target, versions: Sequence[VersionRecord], earlier: int | None
) -> TargetInfo:
    """The body that describes a target and a page of its versions."""
    return TargetInfo(
        target=target.name,
        serving=target.serving,
        frozen=target.frozen,
        pending=target.state.pending,
        versions=[describe_version(version) for version in versions],
        earlier=earlier,
    )


def describe_outcome(
    target: str,
    outcome: AdaptOutcome,
    places: Sequence[int],
    unreadable: Sequence[ImageNotAdmitted],
) -> AdaptResult:
    """The body that answers a request to adapt.

    Args:
        target: name of the target.
        outcome: what became of the images that could be decoded.
        places: position in the request of each of these images.
        unreadable: images of the request that could not be decoded.
    """
    not_admitted = [
        ImageNotAdmitted(index=places[image.index], kind=image.kind, reason=image.reason)
        for image in outcome.not_admitted
    ]
    return AdaptResult(
        target=target,
        received=outcome.received + len(unreadable),
        admitted=outcome.admitted,
        held=outcome.held,
        refused=sorted([*unreadable, *not_admitted], key=lambda image: image.index),
        alarm=outcome.alarm,
        new_domain=outcome.new_domain,
        pending=outcome.pending,
        serving=outcome.serving,
        committed=None if outcome.made is None else describe_version(outcome.made),
    )


def describe_events(target: str, events: Sequence[Event], page: Page) -> EventPage:
    """The body that describes a page of events."""
    infos = [
        EventInfo(id=event.id, at=event.at, kind=event.kind, **event.detail) for event in events
    ]
    full = len(events) == page.limit
    return EventPage(
        target=target,
        events=infos,
        earlier=events[0].id if events and (full or page.after is not None) else None,
        latest=events[-1].id if events else page.after or 0,
    )

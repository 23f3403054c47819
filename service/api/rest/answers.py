"""Translates what the core returns into bodies of answers."""

from collections.abc import Sequence

from service.ledger.records import BatchRecord, Domain, Event, Page, Target, VersionRecord
from service.schemas import (
    AdaptResult,
    BatchInfo,
    DomainInfo,
    Domains,
    Drift,
    EventInfo,
    EventPage,
    FeatureDrift,
    ImageNotAdmitted,
    ImagePrediction,
    SiteDrift,
    TargetInfo,
    TrafficDrift,
    VersionInfo,
)
from service.targets.drift import Compared, DriftReport
from service.targets.outcome import AdaptOutcome


def describe_version(version: VersionRecord) -> VersionInfo:
    """The body that describes a version."""
    return VersionInfo.model_validate(version)


def describe_target(
    target: Target, versions: Sequence[VersionRecord], earlier: int | None, unwritten: int = 0
) -> TargetInfo:
    """The body that describes a target and a page of its versions."""
    return TargetInfo(
        target=target.name,
        serving=target.serving,
        frozen=target.frozen,
        mode=target.mode,
        domain=target.folded.domain,
        shadow=target.shadow,
        watched=None if target.probation is None else target.probation["images"],
        pending=target.state.pending,
        unwritten=unwritten,
        versions=[describe_version(version) for version in versions],
        earlier=earlier,
    )


def describe_outcome(
    target: str,
    outcome: AdaptOutcome,
    places: Sequence[int] = (),
    unreadable: Sequence[ImageNotAdmitted] = (),
    predictions: list[ImagePrediction | None] | None = None,
) -> AdaptResult:
    """The body that answers a request to adapt.

    Args:
        target: name of the target.
        outcome: what became of the images that could be decoded.
        places: position in the request of each of these images.
        unreadable: images of the request that could not be decoded.
        predictions: predictions for the images of the request, if they were asked for.
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
        domain=outcome.domain,
        new_domain=outcome.new_domain,
        recalled=outcome.recalled,
        pending=outcome.pending,
        serving=outcome.serving,
        committed=None if outcome.made is None else describe_version(outcome.made),
        rolled_back=outcome.rolled_back,
        batch=outcome.batch,
        dry_run=outcome.dry_run,
        predictions=predictions,
    )


def describe_batch(record: BatchRecord) -> BatchInfo:
    """The body that describes a batch."""
    return BatchInfo(
        batch=record.key,
        status=record.status,
        domain=record.domain,
        images=record.images,
        version=record.version,
        client=record.client,
        created_at=record.created_at,
    )


def describe_domains(target: Target) -> Domains:
    """The body that describes the domains of a target."""
    return Domains(
        target=target.name,
        current=target.folded.domain,
        domains=[describe_domain(domain) for domain in target.domains],
    )


def describe_drift(target: str, report: DriftReport, classes: Sequence[str], limit: float) -> Drift:
    """The body that describes the drift of a target.

    Args:
        target: its name.
        report: what was found.
        classes: names of the classes.
        limit: difference in standard errors at which the domain counts as changed.
    """

    def features(compared: Compared) -> list[FeatureDrift]:
        return [
            FeatureDrift(
                feature=each.feature,
                recent=each.recent,
                domain=each.domain,
                z=each.z,
                low=each.domain - limit * each.error,
                high=each.domain + limit * each.error,
            )
            for each in compared.features
        ]

    def shares(compared: Compared) -> dict[str, float]:
        return dict(zip(classes, compared.shares.tolist(), strict=False))

    recent, traffic, estimated = report.recent, report.traffic, report.estimated
    return Drift(
        target=target,
        domain=report.domain,
        images=recent.images,
        z=recent.z,
        limit=limit,
        features=features(recent),
        shift=report.shift,
        class_shares=shares(recent),
        class_shares_estimated=None
        if estimated is None
        else dict(zip(classes, estimated.shares.tolist(), strict=True)),
        share_distance=None if estimated is None else estimated.distance,
        held=report.held,
        sites=[SiteDrift.model_validate(site) for site in report.sites],
        traffic=TrafficDrift(
            images=traffic.images,
            z=traffic.z,
            features=features(traffic),
            class_shares=shares(traffic),
        ),
    )


def describe_domain(domain: Domain) -> DomainInfo:
    """The body that describes a domain."""
    return DomainInfo(
        number=domain.number,
        name=domain.name,
        pinned=domain.pinned,
        version=domain.version,
        count=domain.state.count,
        created_at=domain.created_at,
        seen_at=domain.seen_at,
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

"""GET /stream: what happens, as it happens, as server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from service.api.dependencies import ResourcesDep, check_target
from service.api.problems import problem_responses
from service.api.rest.answers import describe_events
from service.api.rest.events import MAX_ID
from service.errors import InvalidContent, LedgerError, Overloaded, UnknownModel, UnknownTarget
from service.ledger.records import Page
from service.lifespan import Resources
from service.monitoring.activity import between, look
from service.schemas import ActivityInfo, EventInfo
from service.targets.target import OnlineTarget
from service.vocabulary import DEFAULT_TARGET

router = APIRouter(tags=["page"])

# Each asks the ledger once an interval.
MAX_STREAMS = 64
INTERVAL = 1.0  # seconds
# Those of a batch and its versions; a reader that was away for long catches up page by page.
EVENTS = 100

_ERRORS = problem_responses(UnknownModel, UnknownTarget, InvalidContent, LedgerError, Overloaded)


async def take_place(resources: ResourcesDep) -> AsyncIterator[None]:
    """Take one of the places for streams as long as one is open.

    Raises:
        Overloaded: if all are taken.
    """
    if resources.streams >= MAX_STREAMS:
        raise Overloaded(f"{MAX_STREAMS} streams are open already; close one, or follow /events")
    resources.streams += 1
    try:
        yield
    finally:
        resources.streams -= 1


@router.get(
    "/stream",
    responses=_ERRORS,
    response_class=EventSourceResponse,
    dependencies=[Depends(check_target), Depends(take_place)],
)
async def stream(
    request: Request,
    resources: ResourcesDep,
    after: Annotated[
        int | None, Query(ge=0, le=MAX_ID, description="Only events after this one.")
    ] = None,
    last_event_id: Annotated[
        str | None, Header(description="The same, as browsers say it when they connect again.")
    ] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Follow a target: `change` for each new event of its history, `activity` every second.

    The data of the first are as `GET /events` lists them, those of the second an `ActivityInfo`. The stream
    ends when the service shuts down, or there is no such target any more.
    """
    names = request.path_params.get("model"), request.path_params.get("target", DEFAULT_TARGET)
    if last_event_id is not None and last_event_id.isascii() and last_event_id.isdigit():
        after = min(int(last_event_id), MAX_ID)
    watch: _Watch | None = None
    while not resources.draining:
        try:
            model = resources.models.find(names[0])
        except UnknownModel:
            return
        # Nothing happens here to a target that is not in memory.
        target = model.targets.find_loaded(names[1])
        if target is not None:
            # Only as long as it is asked: a model that is in use cannot be unloaded.
            with model.use():
                if watch is None or watch.target is not target:
                    watch = _Watch(resources, target, model.bundle.manifest.classes)
                changes = await _changes(resources, target, after)
                activity = watch.describe()
            for event in changes:
                after = event.id
                yield ServerSentEvent(event="change", id=str(event.id), data=event)
            yield ServerSentEvent(event="activity", data=activity)
        elif names[1] not in model.targets.names:
            return
        await asyncio.sleep(INTERVAL)


async def _changes(
    resources: Resources, target: OnlineTarget, after: int | None
) -> list[EventInfo]:
    """The events after one of them; with None the newest, where a reader begins."""
    page = Page(1) if after is None else Page(EVENTS, after=after)
    try:
        events = await resources.offload(lambda: target.queries.events(page))
    except LedgerError:
        # Without the ledger, what the service does is still of interest.
        return []
    return describe_events(target.name, events, page).events


class _Watch:
    """Remembers what one stream was told last."""

    def __init__(self, resources: Resources, target: OnlineTarget, classes: Sequence[str]) -> None:
        self.target = target
        self._resources = resources
        self._classes = classes
        self._look = look(resources.metrics.exchanges)
        self._predicted = target.statistics.predicted

    def describe(self) -> ActivityInfo:
        """What happened since this was asked last."""
        metrics, record = self._resources.metrics, self.target.record
        now, predicted = look(metrics.exchanges), self.target.statistics.predicted
        activity = between(self._look, now)
        before, self._look, self._predicted = self._predicted, now, predicted
        seconds = max(activity.seconds, INTERVAL)
        images = predicted.images - before.images
        counts = predicted.labels - before.labels
        return ActivityInfo(
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            requests=activity.requests / seconds,
            median=_milliseconds(activity.median),
            p99=_milliseconds(activity.p99),
            queued=self._resources.engine.waiting,
            images=images / seconds,
            confidence=(predicted.confidence - before.confidence) / images if images else None,
            labels={
                self._classes[index]: int(counts[index]) for index in counts.nonzero()[0].tolist()
            },
            serving=record.serving,
            frozen=record.frozen,
            mode=record.mode,
            domain=record.folded.domain,
            pending=record.state.pending,
        )


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e3

"""GET /events."""

from typing import Annotated

from fastapi import APIRouter, Query

from service.api.dependencies import ResourcesDep, TargetDep
from service.api.problems import problem_responses
from service.api.rest.answers import describe_events
from service.api.rest.paging import Limit
from service.errors import InvalidContent, LedgerError, UnknownModel, UnknownTarget
from service.ledger.records import Page
from service.schemas import EventPage

router = APIRouter(tags=["events"])

MAX_ID = 2**63 - 1

_ERRORS = problem_responses(UnknownModel, UnknownTarget, InvalidContent, LedgerError)


@router.get("/events", responses=_ERRORS)
async def list_events(
    resources: ResourcesDep,
    target: TargetDep,
    limit: Limit = 100,
    before: Annotated[
        int | None, Query(ge=0, le=MAX_ID, description="Only events before this one.")
    ] = None,
    after: Annotated[
        int | None, Query(ge=0, le=MAX_ID, description="Only events after this one, oldest first.")
    ] = None,
) -> EventPage:
    """List what happened to the target: batches, versions, moves of the label, freezes.

    By default the newest events; `before` pages back, and `after` follows the history as it grows.
    """
    page = Page(limit, before, after)
    events = await resources.offload(lambda: target.queries.events(page))
    return describe_events(target.name, events, page)

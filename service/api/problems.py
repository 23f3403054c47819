"""Errors of the service as RFC 9457 problem details: which error has which HTTP status."""

import re
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from service import errors
from service.errors import ServiceError
from service.monitoring.metrics import Metrics
from service.monitoring.requests import REQUEST_ID, current_request_id
from service.security.headers import security_headers
from service.vocabulary import ERROR_PREFIX

CLIENT_CLOSED_REQUEST = 499
REALM = "reciprocal-norm"
# What RFC 9457 calls the type of a problem that its status says everything about.
NO_KIND = "about:blank"

STATUS: dict[type[ServiceError], int] = {
    errors.MalformedRequest: HTTPStatus.BAD_REQUEST,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.MissingRole: HTTPStatus.FORBIDDEN,
    errors.CrossOriginRequest: HTTPStatus.FORBIDDEN,
    errors.NotLoopback: HTTPStatus.FORBIDDEN,
    errors.UnknownModel: HTTPStatus.NOT_FOUND,
    errors.TooManyModels: HTTPStatus.CONFLICT,
    errors.DefaultModelNeeded: HTTPStatus.CONFLICT,
    errors.UnknownTarget: HTTPStatus.NOT_FOUND,
    errors.UnknownVersion: HTTPStatus.NOT_FOUND,
    errors.TargetExists: HTTPStatus.CONFLICT,
    errors.TooManyTargets: HTTPStatus.CONFLICT,
    errors.DefaultTargetNeeded: HTTPStatus.CONFLICT,
    errors.AdaptationFrozen: HTTPStatus.CONFLICT,
    errors.ConcurrentChange: HTTPStatus.CONFLICT,
    errors.MomentsDropped: HTTPStatus.CONFLICT,
    errors.RejectedVersion: HTTPStatus.CONFLICT,
    errors.DomainInUse: HTTPStatus.CONFLICT,
    errors.UnknownBatch: HTTPStatus.NOT_FOUND,
    errors.UnknownDomain: HTTPStatus.NOT_FOUND,
    errors.NothingToRollBack: HTTPStatus.CONFLICT,
    errors.RequestTimeout: HTTPStatus.REQUEST_TIMEOUT,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnsupportedContent: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.MisdirectedRequest: HTTPStatus.MISDIRECTED_REQUEST,
    errors.InvalidContent: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ModelNotLoaded: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.KeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.QueueFull: HTTPStatus.TOO_MANY_REQUESTS,
    errors.RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Overloaded: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ClientDisconnected: CLIENT_CLOSED_REQUEST,
    errors.LedgerError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ShuttingDown: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DeadlinePassed: HTTPStatus.GATEWAY_TIMEOUT,
}

# As RFC 9110 names them; Python's names differ between its versions.
TITLES = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE.value: "Content Too Large",
    HTTPStatus.UNPROCESSABLE_ENTITY.value: "Unprocessable Content",
    CLIENT_CLOSED_REQUEST: "Client Closed Request",
}


class Problem(BaseModel):
    """Body of every error."""

    type: str = Field(
        description="What kind of error it is, for programs.",
        examples=["urn:reciprocal-norm:invalid-content"],
    )
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["image 0 is not in a supported format: PNG, JPEG"])
    request_id: str = Field(
        description="Identifier of the request, as in the header X-Request-Id and in the log.",
        examples=["5f1c9a3e0b7d4c62a8e1d3f4b5a69788"],
    )


def status_of(error: type[ServiceError]) -> int:
    """The HTTP status of a kind of error; that of the nearest base class in the table."""
    return next((STATUS[base] for base in error.__mro__ if base in STATUS), 500)


def type_of(error: type[ServiceError]) -> str:
    """The URI of a kind of error, by which programs recognize it."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", error.__name__).lower()
    return f"{ERROR_PREFIX}{words}"


def title_of(status: int) -> str:
    """The reason phrase of a status."""
    return TITLES.get(status) or HTTPStatus(status).phrase


def problem_responses(*kinds: type[ServiceError]) -> dict[int | str, dict[str, Any]]:
    """The errors of an operation, for its OpenAPI description."""
    meanings: dict[int, list[str]] = {}
    for kind in kinds:
        meaning = (kind.__doc__ or "").partition("\n")[0]
        meanings.setdefault(status_of(kind), []).append(meaning)
    return {
        status: {
            # A "model" would be described as application/json beside it.
            "content": {"application/problem+json": {"schema": Problem.model_json_schema()}},
            "description": " ".join(lines),
        }
        for status, lines in meanings.items()
    }


def make_problem(
    metrics: Metrics,
    status: int,
    detail: str,
    *,
    kind: str = NO_KIND,
    title: str | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """The answer that reports an error, which is counted."""
    metrics.count_problem(status, kind)
    content = Problem(
        type=kind,
        title=title or title_of(status),
        status=status,
        detail=detail,
        request_id=current_request_id() or "",
    )
    media_type = "application/problem+json"
    return JSONResponse(content.model_dump(), status, headers, media_type=media_type)


def problem_of(metrics: Metrics, error: ServiceError | ClientDisconnect) -> JSONResponse:
    """The answer that reports an error of the service, or of its client, which is counted."""
    if isinstance(error, ClientDisconnect):
        error = errors.ClientDisconnected("the client disconnected during the upload")
    kind = type(error)
    return make_problem(
        metrics, status_of(kind), error.detail, kind=type_of(kind), headers=_headers(error)
    )


def protocol_error_of(metrics: Metrics, error: ServiceError) -> JSONResponse:
    """The same answer in the form of the Open Inference Protocol: ``{"error": "..."}``."""
    status = status_of(type(error))
    metrics.count_problem(status, type_of(type(error)))
    return JSONResponse({"error": error.detail}, status, _headers(error))


def install_problem_handlers(app: FastAPI, metrics: Metrics) -> None:
    """Answer every error of the application with a problem, and count it by its status."""

    @app.exception_handler(ServiceError)
    async def on_service_error(_: Request, error: ServiceError) -> JSONResponse:
        return problem_of(metrics, error)

    @app.exception_handler(ClientDisconnect)
    async def on_disconnect(_: Request, error: ClientDisconnect) -> JSONResponse:
        return problem_of(metrics, error)

    @app.exception_handler(HTTPException)
    async def on_http_error(_: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers) if error.headers else None
        detail = error.detail
        return make_problem(metrics, error.status_code, detail, title=detail, headers=headers)

    @app.exception_handler(RequestValidationError)
    async def on_validation_error(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = " ".join(map(str, first["loc"]))
        return problem_of(metrics, errors.InvalidContent(f"{place}: {first['msg']}"))

    @app.exception_handler(Exception)
    async def on_error(_: Request, __: Exception) -> JSONResponse:
        # The server logs the exception itself, and closes the connection; without this header, a client
        # would send its next request into it.
        headers = {"Connection": "close", **security_headers()}
        # This answer alone passes by what adds such headers to the others.
        if (request_id := current_request_id()) is not None:
            headers[REQUEST_ID.decode("ascii")] = request_id
        return make_problem(metrics, 500, "internal error; see the service log", headers=headers)


def _headers(error: ServiceError) -> dict[str, str] | None:
    match error:
        case errors.QueueFull() | errors.Overloaded() | errors.RateLimited():
            return {"Retry-After": str(error.retry_after)}
        case errors.UnsupportedEncoding():
            return {"Accept-Encoding": "gzip"}
        case errors.Unauthenticated():
            return {"WWW-Authenticate": f'Bearer realm="{REALM}"'}
        case _:
            return None

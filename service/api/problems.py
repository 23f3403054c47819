"""Errors of the service as RFC 9457 problem details."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from prometheus_client import Counter
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from service.ledger.ledger import LedgerError


class Problem(BaseModel):
    """The body of every error."""

    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(
        examples=["image 0 is not an image in a format that is read here: PNG, JPEG"]
    )


class ServiceError(Exception):
    """An error that the client can be told: one clear line, and the status that carries it."""

    status = 500
    title = "Internal Server Error"

    def __init__(self, detail: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = headers


class BadRequest(ServiceError):
    """The request is not complete or not well-formed."""

    status, title = 400, "Bad Request"


class NotFound(ServiceError):
    """There is no such target or version."""

    status, title = 404, "Not Found"


class Conflict(ServiceError):
    """The request does not fit the present state."""

    status, title = 409, "Conflict"


class TooLarge(ServiceError):
    """More bytes, pixels or images than allowed."""

    status, title = 413, "Content Too Large"


class UnsupportedMedia(ServiceError):
    """A content type that is not read here."""

    status, title = 415, "Unsupported Media Type"


class Unprocessable(ServiceError):
    """The content is not what its type says."""

    status, title = 422, "Unprocessable Content"


class TooManyRequests(ServiceError):
    """The queue is full."""

    status, title = 429, "Too Many Requests"


class ClientGone(ServiceError):
    """The client closed the connection; nobody reads this."""

    status, title = 499, "Client Closed Request"


class Unavailable(ServiceError):
    """Not ready yet, or shutting down."""

    status, title = 503, "Service Unavailable"


class DeadlinePassed(ServiceError):
    """The answer did not come in time."""

    status, title = 504, "Gateway Timeout"


def problem_responses(*errors: type[ServiceError]) -> dict[int | str, dict[str, Any]]:
    """The errors of an operation, for its OpenAPI description."""
    return {
        error.status: {
            # A "model" would be described as application/json beside it.
            "content": {"application/problem+json": {"schema": Problem.model_json_schema()}},
            "description": (error.__doc__ or error.title).strip(),
        }
        for error in errors
    }


def install_problem_handlers(app: FastAPI, refusals: Counter) -> None:
    """Answer every error of the application with a problem, and count it by its status."""

    def answer(
        status: int, title: str, detail: str, headers: dict[str, str] | None = None
    ) -> JSONResponse:
        refusals.labels(str(status)).inc()
        content = Problem(title=title, status=status, detail=detail).model_dump()
        return JSONResponse(content, status, headers, media_type="application/problem+json")

    @app.exception_handler(ServiceError)
    async def on_service_error(_: Request, error: ServiceError) -> JSONResponse:
        return answer(error.status, error.title, error.detail, error.headers)

    @app.exception_handler(LedgerError)
    async def on_ledger_error(_: Request, error: LedgerError) -> JSONResponse:
        return answer(Unavailable.status, Unavailable.title, str(error))

    @app.exception_handler(ClientDisconnect)
    async def on_disconnect(_: Request, __: ClientDisconnect) -> JSONResponse:
        return answer(ClientGone.status, ClientGone.title, "the client went away while it sent")

    @app.exception_handler(HTTPException)
    async def on_http_error(_: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers) if error.headers else None
        return answer(error.status_code, error.detail, error.detail, headers)

    @app.exception_handler(RequestValidationError)
    async def on_validation_error(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = " ".join(map(str, first["loc"]))
        return answer(422, Unprocessable.title, f"{place}: {first['msg']}")

    @app.exception_handler(Exception)
    async def on_error(_: Request, __: Exception) -> JSONResponse:
        # The server logs the exception itself, and closes the connection; a client that was not told
        # would send its next request into it.
        close = {"Connection": "close"}
        return answer(500, ServiceError.title, "the service failed; its log says why", close)

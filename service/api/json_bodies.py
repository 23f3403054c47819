"""Reads small JSON bodies; by hand, because FastAPI reads a body of any size into memory."""

from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from service.api.body.reading import content_type, read_body
from service.errors import InvalidContent, UnsupportedContent
from service.lifespan import Resources

MAX_BYTES = 64 * 2**10

B = TypeVar("B", bound=BaseModel)


def describe_body(schema: type[BaseModel], *, required: bool) -> dict[str, Any]:
    """The OpenAPI description of a JSON body."""
    content = {"application/json": {"schema": schema.model_json_schema()}}
    return {"requestBody": {"required": required, "content": content}}


async def read_json_body(request: Request, schema: type[B], default: B | None = None) -> B:
    """Read a JSON body of a few values.

    Args:
        request: the request.
        schema: what the body holds.
        default: what an empty body means; None if it is not allowed.

    Raises:
        TooLarge: if it is larger than such a body can be.
        UnsupportedContent: if it is not JSON.
        InvalidContent: if it does not fit the schema.
    """
    resources: Resources = request.app.state.resources
    body = await read_body(request, min(MAX_BYTES, resources.settings.max_body_bytes))
    if not body and default is not None:
        return default
    kind = content_type(request)
    if kind != "application/json":
        raise UnsupportedContent(f"unsupported content type {kind or '(none)'}; send JSON")
    try:
        return schema.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        place = " ".join(["body", *map(str, first["loc"])])
        raise InvalidContent(f"{place}: {first['msg']}") from error

"""The pages that describe the API, and the part of the description that every operation shares."""

import base64
import hashlib
import re
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse

from service.api.problems import problem_responses
from service.api.route_access import is_of_protocol
from service.api.v2.openapi import ERROR_CONTENT
from service.errors import (
    CrossOriginRequest,
    MalformedRequest,
    MisdirectedRequest,
    MissingRole,
    RateLimited,
    Unauthenticated,
)
from service.security.roles import EVERYBODY, access_to

FILES = "/static-offline-docs"

_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
# The pages style their own elements, and ReDoc searches in a worker that it makes itself.
_POLICY = (
    "default-src 'none'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src blob:; child-src blob:;"
    " frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key of the service."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_CHECKS = (MalformedRequest, CrossOriginRequest, MisdirectedRequest, RateLimited)
_KEY_CHECKS = (Unauthenticated, MissingRole)


def add_pages(app: FastAPI) -> None:
    """Add ``/docs`` and ``/redoc``, which load nothing from elsewhere."""

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        description = f"{root}{app.openapi_url}"
        page = get_swagger_ui_html(
            openapi_url=description,
            title=app.title,
            swagger_js_url=f"{root}{FILES}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{FILES}/swagger-ui.css",
            swagger_favicon_url=f"{root}{FILES}/favicon.png",
            # The key that a person types in is forgotten with the page.
            swagger_ui_parameters={"persistAuthorization": False},
        )
        # Otherwise the description inherits a key from the page's own address (http://user:KEY@host/docs),
        # and browsers let no script request an address that holds one.
        absolute = (
            bytes(page.body)
            .decode()
            .replace(f"'{description}'", f"location.origin + '{description}'")
        )
        return _with_policy(HTMLResponse(absolute))

    @app.get("/redoc", include_in_schema=False)
    async def redoc(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        page = get_redoc_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=app.title,
            redoc_js_url=f"{root}{FILES}/redoc.standalone.js",
            redoc_favicon_url=f"{root}{FILES}/favicon.png",
            with_google_fonts=False,
        )
        return _with_policy(page)


def describe_checks(app: FastAPI, has_keys: bool) -> None:
    """Add to the OpenAPI description what applies to every operation.

    Args:
        app: the application.
        has_keys: whether callers need a key.
    """
    describe = app.openapi

    def described() -> dict[str, Any]:
        complete = app.openapi_schema is not None
        schema = describe()
        if not complete:
            _add_checks(schema, has_keys)
        return schema

    app.openapi = described  # type: ignore[method-assign]


def _add_checks(schema: dict[str, Any], has_keys: bool) -> None:
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            needs_key = has_keys and access_to(method.upper(), path) is not EVERYBODY
            kinds = (*_CHECKS, *_KEY_CHECKS) if needs_key else _CHECKS
            for status, response in problem_responses(*kinds).items():
                if is_of_protocol(path):
                    response["content"] = ERROR_CONTENT
                operation["responses"].setdefault(str(status), response)
            if needs_key:
                operation["security"] = [{name: []} for name in _SCHEMES]
    if has_keys:
        schema.setdefault("components", {})["securitySchemes"] = _SCHEMES


def _with_policy(page: HTMLResponse) -> HTMLResponse:
    """A page that may run its own scripts and no others."""
    scripts = _SCRIPT.findall(bytes(page.body))
    hashes = [base64.b64encode(hashlib.sha256(script).digest()).decode() for script in scripts]
    policy = _POLICY.format(hashes=" ".join(f"'sha256-{value}'" for value in hashes))
    page.headers["Content-Security-Policy"] = policy
    return page

"""Forms of HTTP requests that the framework does not answer itself, and the path behind a proxy."""

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_AUTHORITY = re.compile(r"^https?://[^/]*", re.IGNORECASE)


class HttpForms:
    """Answers HEAD wherever GET is answered, and targets that name the whole URL.

    A server must accept both (RFC 9110, section 9.3.2; RFC 9112, section 3.2.2).

    Args:
        app: application to call.
        root_path: path under which a proxy serves the application; links begin with it.
    """

    def __init__(self, app: ASGIApp, root_path: str = "") -> None:
        self._app = app
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on in the form that the application answers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = _AUTHORITY.sub("", scope["path"]) or "/"
        scope = {**scope, "path": path, "root_path": self._root_path or scope.get("root_path", "")}
        if scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, without_body)

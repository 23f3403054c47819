"""What every request passes before its body is read: host, origin, key, role and rate limit."""

from starlette._utils import get_route_path
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problems import REALM, problem_of, protocol_error_of
from service.api.route_access import RouteAccess, Rule
from service.errors import MalformedRequest, NotLoopback, ServiceError, Unauthenticated
from service.monitoring.metrics import Metrics
from service.monitoring.requests import current_request
from service.security.authentication import Caller
from service.security.headers import with_security_headers
from service.security.hosts import is_loopback
from service.security.origins import SAFE_METHODS, check_origin
from service.security.policy import Policy

_READ = frozenset({b"host", b"origin", b"sec-fetch-site", b"authorization", b"x-api-key"})
_PASSWORD = f'Basic realm="{REALM}", charset="UTF-8"'


class Gate:
    """Lets a request pass if its sender may send it, and notes the caller in ``request.state``.

    A stranger learns nothing of the routes: whether there is one is found out after the key was checked.

    Args:
        app: application to call.
        policy: who may reach the service, and as whom.
        routes: roles of the routes.
        metrics: metrics of the application.
    """

    def __init__(self, app: ASGIApp, policy: Policy, routes: RouteAccess, metrics: Metrics) -> None:
        self._app = app
        self._policy = policy
        self._routes = routes
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer why not."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] != "http":
            # The service has no such routes.
            await send({"type": "websocket.close", "code": 1008})
        else:
            rule = self._routes.find(scope["method"], get_route_path(scope))
            try:
                caller = self._admit(scope, rule)
            except ServiceError as error:
                await self._refuse(error, rule)(scope, receive, send)
                return
            scope.setdefault("state", {})["caller"] = caller
            if (request := current_request.get()) is not None:
                request.client = caller.name
            await self._app(scope, receive, send)

    def _admit(self, scope: Scope, rule: Rule) -> Caller:
        """The caller of a request that may pass.

        Raises:
            ServiceError: if it may not.
        """
        policy = self._policy
        server = scope.get("server")
        if policy.loopback_only and server and not is_loopback(server[0]):
            raise NotLoopback("without keys, this service answers programs on its own machine only")
        headers = _read_headers(scope)
        host = headers.get(b"host")
        self._check_host(scope, host)
        if scope["method"] not in SAFE_METHODS:
            check_origin(
                headers.get(b"origin"),
                headers.get(b"sec-fetch-site"),
                authority=host,
                scheme=scope["scheme"],
                allowed=policy.origins,
            )
        client = scope.get("client")
        address = client[0] if client else None
        authorization, key = headers.get(b"authorization"), headers.get(b"x-api-key")
        if rule.access is None:
            return policy.authenticator.recognize(authorization, key, address)
        caller = policy.authenticator.authenticate(authorization, key, address, passwords=rule.page)
        caller.require(rule.access)
        caller.admit()
        return caller

    def _check_host(self, scope: Scope, host: str | None) -> None:
        if host is None:
            # Health checks in HTTP/1.0 name none; browsers do.
            if scope["http_version"] != "1.0":
                raise MalformedRequest("the header Host is missing")
            return
        self._policy.hosts.check(host)
        target: bytes = scope.get("raw_path") or b"/"
        if not target.startswith((b"/", b"*")):
            named = target.partition(b"://")[2].partition(b"/")[0].decode("latin-1")
            if named.lower() != host.lower():
                raise MalformedRequest("the header Host is not the host of the request's target")

    def _refuse(self, error: ServiceError, rule: Rule) -> Response:
        make = protocol_error_of if rule.protocol else problem_of
        response = make(self._metrics, error)
        if rule.page and isinstance(error, Unauthenticated):
            # Browsers ask for a password and keep it in memory until they are closed.
            response.headers.append("WWW-Authenticate", _PASSWORD)
        return response


class SecurityHeaders:
    """Adds to every answer what keeps browsers from doing more with it than showing it.

    Args:
        app: application to call.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and add headers to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = with_security_headers(list(message.get("headers", ())))
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_secured)


def _read_headers(scope: Scope) -> dict[bytes, str]:
    """The headers that are checked here.

    Raises:
        MalformedRequest: if one is given twice, so that others may have read the other one.
    """
    found: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name in _READ:
            if name in found:
                raise MalformedRequest(f"the header {name.decode()} is given twice")
            found[name] = value.decode("latin-1")
    return found

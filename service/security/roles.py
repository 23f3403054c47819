"""Roles of keys, and the roles that each route asks for."""

import re
from collections.abc import Mapping
from typing import get_args

from service.vocabulary import Role

# The roles of which a caller needs one; None: everybody is let in, with a key or without.
Access = frozenset[Role] | None

ROLES: tuple[Role, ...] = get_args(Role)
EVERYBODY: Access = None
ANY_KEY: Access = frozenset(ROLES)

PREDICT: Access = frozenset({"predict"})
_ADAPT: Access = frozenset({"adapt"})
OPERATE: Access = frozenset({"operate"})
_HISTORY: Access = frozenset({"adapt", "operate"})
METRICS: Access = frozenset({"metrics", "operate"})

# Every route of the service, without the prefixes of a model and a target. The service does not start with
# a route that is missing here.
ROUTES: Mapping[tuple[str, str], Access] = {
    ("GET", "/health/live"): EVERYBODY,
    ("GET", "/health/ready"): EVERYBODY,
    ("POST", "/predict"): PREDICT,
    ("POST", "/adapt"): _ADAPT,
    ("POST", "/adapt/moments"): frozenset({"moments"}),
    ("GET", "/batches/{batch}"): _HISTORY,
    ("GET", "/domains"): _HISTORY,
    ("PUT", "/domains/{number}"): OPERATE,
    ("DELETE", "/domains/{number}"): OPERATE,
    ("GET", "/drift"): _HISTORY,
    ("PUT", "/mode"): OPERATE,
    ("GET", "/versions/{number}/evidence"): OPERATE,
    ("POST", "/versions/{number}/evidence"): OPERATE,
    ("GET", "/targets"): ANY_KEY,
    ("POST", "/targets"): OPERATE,
    ("DELETE", "/targets/{target}"): OPERATE,
    ("GET", "/versions"): _HISTORY,
    ("GET", "/versions/{number}"): _HISTORY,
    ("GET", "/events"): _HISTORY,
    ("POST", "/versions/{number}/promote"): OPERATE,
    ("POST", "/rollback"): OPERATE,
    ("POST", "/reset"): OPERATE,
    ("POST", "/freeze"): OPERATE,
    ("POST", "/unfreeze"): OPERATE,
    ("GET", "/models"): ANY_KEY,
    ("POST", "/models/{model}/load"): OPERATE,
    ("POST", "/models/{model}/unload"): OPERATE,
    ("GET", "/labels"): _HISTORY,
    ("PUT", "/labels/serving"): OPERATE,
    ("PUT", "/labels/shadow"): OPERATE,
    ("DELETE", "/labels/shadow"): OPERATE,
    ("GET", "/v2"): ANY_KEY,
    ("GET", "/v2/health/live"): EVERYBODY,
    ("GET", "/v2/health/ready"): EVERYBODY,
    ("GET", "/v2/models/stats"): METRICS,
    ("GET", "/v2/models/{model}"): ANY_KEY,
    ("GET", "/v2/models/{model}/ready"): ANY_KEY,
    ("GET", "/v2/models/{model}/stats"): METRICS,
    ("POST", "/v2/models/{model}/infer"): PREDICT,
    ("GET", "/v2/models/{model}/versions/{version}"): ANY_KEY,
    ("GET", "/v2/models/{model}/versions/{version}/ready"): ANY_KEY,
    ("GET", "/v2/models/{model}/versions/{version}/stats"): METRICS,
    ("POST", "/v2/models/{model}/versions/{version}/infer"): PREDICT,
    ("POST", "/v2/repository/index"): ANY_KEY,
    ("POST", "/v2/repository/models/{model}/load"): OPERATE,
    ("POST", "/v2/repository/models/{model}/unload"): OPERATE,
    ("GET", "/metrics"): METRICS,
    # The page holds nothing secret: it asks for a key and gets everything else with it.
    ("GET", "/"): EVERYBODY,
    ("GET", "/page/{file}"): EVERYBODY,
    ("GET", "/examples"): PREDICT,
    ("GET", "/stream"): _HISTORY,
    ("GET", "/docs"): ANY_KEY,
    ("GET", "/redoc"): ANY_KEY,
    ("GET", "/openapi.json"): ANY_KEY,
    ("GET", "/static-offline-docs"): ANY_KEY,
}

# Pages that a browser opens by their address, where it cannot send a key of its own accord: there, a
# browser may ask for the key as a password. None of them changes anything.
PAGES = frozenset({"/docs", "/redoc", "/openapi.json", "/static-offline-docs"})

_PREFIX = re.compile(r"^(/models/\{model\})?(/targets/\{target\})?(?=/)")


def access_to(method: str, template: str) -> Access:
    """The roles that a route asks for.

    Args:
        method: method of the request.
        template: path of the route as it was declared, such as ``/versions/{number}``.

    Raises:
        LookupError: if the route is not in the table.
    """
    for path in (template, _PREFIX.sub("", template)):
        if (method, path) in ROUTES:
            return ROUTES[method, path]
    raise LookupError(f"{method} {template} has no role: add it to service/security/roles.py")

"""Finds the roles that a request needs from the routes of the application themselves."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute

from service.security.roles import ANY_KEY, PAGES, Access, access_to


@dataclass(frozen=True)
class Rule:
    """What a request needs.

    Attributes:
        access: roles of which the caller needs one.
        page: whether a browser opens it by its address.
        protocol: whether it belongs to the Open Inference Protocol.
    """

    access: Access
    page: bool = False
    protocol: bool = False


# Nothing is found there; only callers with a key learn that.
_NOWHERE = Rule(ANY_KEY)
_ANY_NUMBER = -1


def is_of_protocol(template: str) -> bool:
    """Whether a path belongs to the Open Inference Protocol, whose errors have their own form."""
    return template == "/v2" or template.startswith("/v2/")


class RouteAccess:
    """The rule of every route, matched as the application matches routes.

    Args:
        routes: routes of the application, all of them.

    Raises:
        LookupError: if a route has no role, or hides one that comes later.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._literal: dict[tuple[str, str], Rule] = {}
        # By their number of slashes, which only a pattern that ends in any path leaves open.
        self._patterns: dict[int, list[tuple[re.Pattern[str], dict[str, Rule]]]] = defaultdict(list)
        earlier: list[re.Pattern[str]] = []
        for context in iter_route_contexts(routes):
            template = context.path or "/"
            # A mounted application has no methods of its own; those here hold files.
            methods = (context.methods or {"GET"}) - {"HEAD"}
            rules = {
                method: Rule(
                    access_to(method, template), template in PAGES, is_of_protocol(template)
                )
                for method in methods
            }
            pattern: re.Pattern[str] = context.path_regex
            if pattern.groups:
                earlier.append(pattern)
                place = _ANY_NUMBER if ".*" in pattern.pattern else template.count("/")
                self._patterns[place].append((pattern, rules))
                continue
            if any(other.match(template) for other in earlier):
                raise LookupError(f"an earlier route hides {template}")
            for method, rule in rules.items():
                self._literal.setdefault((method, template), rule)

    def find(self, method: str, path: str) -> Rule:
        """The rule of a request; of one that no route answers: any key.

        Args:
            method: method of the request.
            path: its path, without the prefix of a proxy.
        """
        rule = self._literal.get((method, path))
        if rule is not None:
            return rule
        for place in (path.count("/"), _ANY_NUMBER):
            for pattern, rules in self._patterns.get(place, ()):
                if method in rules and pattern.match(path):
                    return rules[method]
        return _NOWHERE

"""What goes wrong between a client and a service, as one clear line."""

import re

import httpx

from service.vocabulary import ERROR_PREFIX

_POSITION = re.compile(r"^image (\d+) ")


class ClientError(RuntimeError):
    """The request failed, or the service could not be reached; one clear line.

    Attributes:
        status: HTTP status of the answer; None if there was no answer.
        kind: kind of error as the service names it, such as ``key-reused``; empty if it names none.
    """

    def __init__(self, detail: str, status: int | None = None, kind: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind


def error_of(response: httpx.Response) -> ClientError | None:
    """The error that an answer reports; None for a success."""
    if response.is_success:
        return None
    try:
        problem = response.json()
        detail, kind = str(problem["detail"]), str(problem.get("type", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        detail, kind = f"the service answered {response.status_code} {response.reason_phrase}", ""
    known = kind.startswith(ERROR_PREFIX)
    return ClientError(
        detail, response.status_code, kind.removeprefix(ERROR_PREFIX) if known else ""
    )


def shifted(detail: str, start: int) -> str:
    """A message about an image of a request, with its position among all images."""
    return _POSITION.sub(lambda found: f"image {int(found[1]) + start} ", detail)

"""Every error of the service has a status."""

from http import HTTPStatus

import pytest

from service import errors
from service.api.problems import CLIENT_CLOSED_REQUEST, status_of, title_of, type_of
from service.errors import ServiceError

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, ServiceError) and kind is not ServiceError
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_error_has_a_status(kind: type[ServiceError]) -> None:
    status = status_of(kind)
    assert 400 <= status < 600
    assert status != HTTPStatus.INTERNAL_SERVER_ERROR
    assert title_of(status)


def test_an_error_without_a_status_has_that_of_its_base_class() -> None:
    assert status_of(errors.LedgerConflict) == HTTPStatus.SERVICE_UNAVAILABLE
    assert status_of(ServiceError) == HTTPStatus.INTERNAL_SERVER_ERROR


def test_titles_are_those_of_the_standard() -> None:
    assert title_of(413) == "Content Too Large"
    assert title_of(422) == "Unprocessable Content"
    assert title_of(429) == "Too Many Requests"
    assert title_of(CLIENT_CLOSED_REQUEST) == "Client Closed Request"


def test_kinds_of_errors_have_uris_of_their_own() -> None:
    assert type_of(errors.KeyReused) == "urn:reciprocal-norm:key-reused"
    assert len({type_of(kind) for kind in KINDS}) == len(KINDS)

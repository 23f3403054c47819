"""page/openapi.json, from which the client of the page is made, is the description of the API."""

from scripts.api_description import FILE, api_description


def test_it_agrees_with_the_code() -> None:
    assert FILE.read_text() == api_description(), "run `make docs`"

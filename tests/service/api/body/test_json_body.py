"""JSON is counted before it is parsed."""

import json
from typing import Any

import pytest

from service.api.body.json_body import parse_json
from service.errors import MalformedRequest, TooLarge


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        {"images": ["a"] * 100},
        {"images": ["data:image/png;base64,aaaa"] * 100},
        [1, 2.5, -3e5, True, 'ü\n\\"', {"a": [[]]}],
        list(range(100)),
        [{"key": i} for i in range(50)],
    ],
)
def test_what_is_within_the_limit_is_parsed(content: Any) -> None:
    assert parse_json(json.dumps(content).encode(), 102) == content


@pytest.mark.parametrize("sign", ['""', "1", "[]", "{}", '{"a":1}'])
def test_what_is_beyond_is_refused(sign: str) -> None:
    body = ("[" + ",".join([sign] * 1000) + "]").encode()
    with pytest.raises(TooLarge, match="more than the 100 values"):
        parse_json(body, 100)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1,]", b"\xff", b'"\\ud800"', b"[" * 250, b"1" * 10**6, b"nul"]
)
def test_what_is_not_json(body: bytes) -> None:
    with pytest.raises(MalformedRequest, match=r"^the body is not JSON$"):
        parse_json(body, 1000)

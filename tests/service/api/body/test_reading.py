"""Compressed bodies: read if they are gzip, and never beyond what is accepted."""

import gzip
import tracemalloc
import zlib
from typing import Any

import pytest

from service.api.body.reading import _decompress
from service.errors import TooLarge
from tests.service.pictures import NPY, in_json, noise, npy, png
from tests.service.running import Service

IMAGES = noise(3, seed=5)
GZIP = {"content-encoding": "gzip"}


def post(service: Service, content: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    given = {**NPY, **{name.replace("_", "-"): value for name, value in headers.items()}}
    answer = service.http.post("/predict", content=content, headers=given)
    return answer.status_code, answer.json()


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP", "identity"])
def test_gzip_is_read(encoding: str, shared: Service) -> None:
    body = npy(IMAGES)
    sent = body if encoding == "identity" else gzip.compress(body)
    status, answer = post(shared, sent, content_encoding=encoding)
    assert status == 200 and answer == shared.predict(IMAGES)


def test_members_of_gzip_are_joined(shared: Service) -> None:
    body = npy(IMAGES)
    sent = gzip.compress(body[:100]) + gzip.compress(b"") + gzip.compress(body[100:])
    assert post(shared, sent, content_encoding="gzip")[0] == 200


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "compress"])
def test_other_encodings_are_refused_by_name(encoding: str, shared: Service) -> None:
    answer = shared.http.post(
        "/predict", content=npy(IMAGES), headers={**NPY, "content-encoding": encoding}
    )
    assert answer.status_code == 415
    assert answer.headers["accept-encoding"] == "gzip"
    assert f"unsupported content encoding {encoding};" in answer.json()["detail"]


WHOLE = gzip.compress(npy(IMAGES))
BAD = {
    "not gzip": (npy(IMAGES), "not gzip"),
    "cut": (WHOLE[:-9], "ends too soon"),
    "only a header": (WHOLE[:10], "ends too soon"),
    "a tail": (WHOLE + b"tail", "not gzip"),
    "zlib": (zlib.compress(npy(IMAGES)), "not gzip"),
    "many members": (gzip.compress(b"") * 10_000, "more than 16 gzip members"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_not_gzip(case: str, shared: Service) -> None:
    content, detail = BAD[case]
    status, answer = post(shared, content, content_encoding="gzip")
    assert status == 422 and detail in answer["detail"]


def bomb(size: int) -> bytes:
    """``size`` zeros in a thousandth of their size."""
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    zeros = bytes(2**20)
    return b"".join(packer.compress(zeros) for _ in range(size // 2**20)) + packer.flush()


def test_a_bomb_is_refused(shared: Service) -> None:
    content = bomb(2**30)
    assert len(content) < 1.1e6
    status, answer = post(shared, content, content_encoding="gzip")
    assert status == 413 and "larger than the 33,554,432 bytes" in answer["detail"]
    while shared.app.state.body_bytes.held:
        pass


def test_a_bomb_takes_no_memory_beyond_the_limit() -> None:
    content, limit = bomb(2**28), 2**22
    grown: list[int] = []
    tracemalloc.start()
    with pytest.raises(TooLarge):
        _decompress(content, limit, grown.append)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * limit and grown[-1] <= limit


def test_a_compressed_form_and_json(shared: Service) -> None:
    files = [png(image) for image in IMAGES]
    request = shared.http.build_request("POST", "/predict", json=in_json(files))
    packed = gzip.compress(request.read())
    headers = {**GZIP, "content-type": request.headers["content-type"]}
    answer = shared.http.post("/predict", content=packed, headers=headers)
    assert answer.status_code == 200 and len(answer.json()["predictions"]) == 3

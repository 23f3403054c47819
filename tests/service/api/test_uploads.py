"""Images in every form, and everything that is not one."""

import base64
import io
import struct
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.contracts import SMALL
from tests.service.pictures import NPY, huge_png, in_json, noise, npy, parts, png
from tests.service.running import Service

IMAGES = noise(3, seed=77)
FILES = [png(image) for image in IMAGES]
CUT_JPEG = png(noise(1)[0].repeat(20, 0).repeat(20, 1), "JPEG")[:400]


def probabilities(response: httpx.Response) -> list[dict[str, float]]:
    assert response.status_code == 200, response.text
    return [prediction["probabilities"] for prediction in response.json()["predictions"]]


@pytest.fixture(scope="module")
def expected(shared: Service) -> list[dict[str, float]]:
    return probabilities(shared.http.post("/predict", content=npy(IMAGES), headers=NPY))


@pytest.mark.parametrize("kind", ["image/png", "image/anything", "application/octet-stream"])
def test_an_image_as_the_body(kind: str, shared: Service, expected: list[dict[str, float]]) -> None:
    answer = shared.http.post("/predict", content=FILES[0], headers={"content-type": kind})
    assert probabilities(answer) == [pytest.approx(expected[0])]


@pytest.mark.parametrize("count", [1, 3])
def test_files_of_a_form(count: int, shared: Service, expected: list[dict[str, float]]) -> None:
    answer = shared.http.post("/predict", files=parts(FILES[:count]))
    assert probabilities(answer) == [pytest.approx(e) for e in expected[:count]]


def test_base64_in_json(shared: Service, expected: list[dict[str, float]]) -> None:
    answer = shared.http.post("/predict", json=in_json(FILES))
    assert probabilities(answer) == [pytest.approx(e) for e in expected]


@pytest.mark.parametrize(
    "write",
    [
        lambda content: base64.encodebytes(content).decode(),
        lambda content: "data:image/png;base64," + base64.b64encode(content).decode(),
        lambda content: base64.urlsafe_b64encode(content).decode(),
        lambda content: base64.b64encode(content).decode().rstrip("="),
    ],
    ids=["in lines", "data URL", "URL-safe", "without padding"],
)
def test_base64_as_clients_write_it(
    write: Callable[[bytes], str], shared: Service, expected: list[dict[str, float]]
) -> None:
    answer = shared.http.post("/predict", json={"images": [write(FILES[0])]})
    assert probabilities(answer) == [pytest.approx(expected[0])]


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "GIF", "WEBP", "JPEG"])
def test_formats(form: str, shared: Service) -> None:
    assert (
        len(probabilities(shared.http.post("/predict", files=parts([png(IMAGES[0], form)])))) == 1
    )


@pytest.mark.parametrize("form", ["GIF", "TIFF"])
def test_the_first_frame_counts(
    form: str, shared: Service, expected: list[dict[str, float]]
) -> None:
    buffer = io.BytesIO()
    frames = [Image.fromarray(image[..., 0]) for image in IMAGES]
    frames[0].save(buffer, form, save_all=True, append_images=frames[1:])
    answer = shared.http.post("/predict", files=parts([buffer.getvalue()]))
    assert probabilities(answer) == [pytest.approx(expected[0])]


def test_the_answer_names_everything(shared: Service) -> None:
    answer = shared.predict(IMAGES)
    assert (answer["model"], answer["target"], answer["version"]) == ("small", "default", 0)
    first = answer["predictions"][0]
    assert first["probability"] == max(first["probabilities"].values())
    assert first["probabilities"][first["label"]] == first["probability"]
    assert list(first["probabilities"])[first["index"]] == first["label"]
    assert sum(first["probabilities"].values()) == pytest.approx(1)


def test_the_most_probable_classes_are_listed(shared: Service) -> None:
    def listed(top_k: str) -> list[dict[str, float]]:
        body, params = npy(IMAGES), {"top_k": top_k}
        return probabilities(shared.http.post("/predict", content=body, headers=NPY, params=params))

    every = listed("all")
    for count in (1, 2):
        for few, whole in zip(listed(str(count)), every, strict=True):
            ranked = sorted(whole.items(), key=lambda item: -item[1])
            assert list(few.items()) == ranked[:count]
    assert listed("99") == every
    assert [list(row) for row in listed("99")] == [list(SMALL.classes)] * len(IMAGES)
    for wrong in ("0", "-1", "some", ""):
        answer = shared.http.post(f"/predict?top_k={wrong}", content=npy(IMAGES), headers=NPY)
        assert answer.status_code == 422


def header(text: str, version: tuple[int, int] = (1, 0)) -> bytes:
    size = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + size + text.encode()


def array_header(dtype: str, shape: str, order: str = "False") -> bytes:
    return header(f"{{'descr': {dtype}, 'fortran_order': {order}, 'shape': {shape}}}\n")


def pickled() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def chunked(content: bytes) -> Iterator[bytes]:
    """Without a length in the header."""
    for start in range(0, len(content), 2**16):
        yield content[start : start + 2**16]


def body(content: bytes | Iterator[bytes], kind: str | None = "image/png") -> dict[str, Any]:
    return {"content": content, "headers": {} if kind is None else {"content-type": kind}}


def form(content: bytes, kind: str = "multipart/form-data; boundary=x") -> dict[str, Any]:
    return body(content, kind)


TOO_MUCH = b"x" * (32 * 2**20 + 1)
PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'

BAD: dict[str, tuple[int, dict[str, Any], str]] = {
    "nothing": (400, body(b""), "the body is empty"),
    "not an image": (422, body(b"hello"), "image 0 is not an image in a supported format"),
    "a format that is not read": (
        422,
        body(b"%PDF-1.7 and so on"),
        "not an image in a supported format",
    ),
    "cut JPEG": (422, body(CUT_JPEG, "image/jpeg"), "image 0 is damaged or incomplete"),
    "cut PNG": (422, body(FILES[0][:-30]), "image 0 is damaged or incomplete"),
    "huge PNG": (413, body(huge_png(30_000)), "30000 x 30000 = 900,000,000 pixels"),
    "huger PNG": (413, body(huge_png(2**31 - 1)), "at most 50,000,000 are accepted"),
    "text": (415, body(b"hello", "text/plain"), "unsupported content type text/plain"),
    "no type": (415, body(FILES[0], None), "unsupported content type (none)"),
    "too many bytes": (413, body(TOO_MUCH), "larger than the 33,554,432 bytes"),
    "too many bytes in chunks": (413, body(chunked(TOO_MUCH)), "larger than the 33,554,432 bytes"),
    "too large a form": (413, form(PART + TOO_MUCH), "larger than the 33,554,432 bytes"),
    "too large a form in chunks": (
        413,
        body(chunked(PART + TOO_MUCH), "multipart/form-data; boundary=x"),
        "larger than",
    ),
    "too many files": (413, {"files": parts(FILES[:1] * 81)}, "at most 80 images are accepted"),
    "too many in JSON": (413, {"json": in_json(FILES[:1] * 81)}, "81 images; at most 80"),
    "too many in an array": (413, body(npy(noise(81)), "application/x-npy"), "81 images; at most"),
    "an empty file": (422, {"files": parts([b""])}, "image 0 is empty"),
    "one bad of many": (422, {"files": parts([*FILES, b"x"])}, "image 3 is not an image"),
    "form without boundary": (400, form(b"x", "multipart/form-data"), "malformed"),
    "form that is none": (400, form(b"hello"), "malformed"),
    "form without files": (400, form(b"--x--\r\n"), "the request holds no image"),
    "form cut short": (400, form(PART + FILES[0]), "its last boundary is missing"),
    "form without a name": (
        400,
        form(b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n"),
        "malformed",
    ),
    "form with a mere field": (
        400,
        form(b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\na\r\n--x--\r\n'),
        "the request holds no image",
    ),
    "not JSON": (400, body(b'{"images": [', "application/json"), "the body is not JSON"),
    "deep JSON": (400, body(b"[" * 210, "application/json"), "the body is not JSON"),
    "deeper JSON": (413, body(b"[" * 10**6, "application/json"), "more than the 224 values"),
    "many empty texts": (
        413,
        body(b"[" + b'"",' * 10**7 + b'""]', "application/json"),
        "more than the 224 values",
    ),
    "many numbers": (413, body(b"[" + b"1," * 10**7 + b"1]", "application/json"), "224 values"),
    "a long number": (400, body(b"1" * 10**7, "application/json"), "the body is not JSON"),
    "not UTF-8": (400, body(b'{"images": ["\xff"]}', "application/json"), "the body is not JSON"),
    "other JSON": (422, {"json": {"image": "x"}}, 'expected {"images": '),
    "a list": (422, {"json": [1]}, 'expected {"images": '),
    "numbers": (422, {"json": {"images": [1]}}, 'expected {"images": '),
    "no images": (400, {"json": {"images": []}}, "the request holds no image"),
    "data URL without base64": (
        422,
        {"json": {"images": ["data:image/png,abcd"]}},
        "is not in base64",
    ),
    "not base64": (422, {"json": {"images": ["?!"]}}, "an image is not base64"),
    "base64 beyond ASCII": (422, {"json": {"images": ["äöü="]}}, "an image is not base64"),
    "not an array": (422, body(b"hello", NPY["content-type"]), "is not an .npy file"),
    "a pickle": (422, body(pickled(), NPY["content-type"]), "must be uint8"),
    "another type": (
        422,
        body(npy(noise(2).astype(np.float32)), NPY["content-type"]),
        "must be uint8 ('N', 8, 6, 1) in C order, not float32 (2, 8, 6, 1)",
    ),
    "another shape": (
        422,
        body(npy(noise(2)[:, :5]), NPY["content-type"]),
        "not uint8 (2, 5, 6, 1)",
    ),
    "a huge claim": (
        422,
        body(array_header("'|u1'", f"({10**12}, 8, 6, 1)"), NPY["content-type"]),
        "holds 0 bytes",
    ),
    "a claim beyond integers": (
        422,
        body(array_header("'|u1'", f"({10**30}, 8, 6, 1)"), NPY["content-type"]),
        "a shape that no array can have",
    ),
    "a negative claim": (
        422,
        body(array_header("'|u1'", "(-1, 8, 6, 1)"), NPY["content-type"]),
        "holds 0 bytes",
    ),
    "no rows": (400, body(array_header("'|u1'", "(0, 8, 6, 1)"), NPY["content-type"]), "no image"),
    "columns first": (
        422,
        body(array_header("'|u1'", "(1, 8, 6, 1)", "True") + bytes(48), NPY["content-type"]),
        "in C order",
    ),
    "an array cut short": (422, body(npy(noise(2))[:-1], NPY["content-type"]), "holds 95 bytes"),
    "an array with a tail": (
        422,
        body(npy(noise(2)) + b"x", NPY["content-type"]),
        "holds 97 bytes",
    ),
    "code in a header": (
        422,
        body(header("__import__('os')"), NPY["content-type"]),
        "is not an .npy",
    ),
    "a bool as a size": (
        422,
        body(array_header("'|u1'", "(True, 8, 6, 1)") + bytes(48), NPY["content-type"]),
        "a shape that no array can have",
    ),
    "a size that cannot be written": (
        422,
        body(array_header("'|u1'", f"(0x{'f' * 8000}, 8, 6, 1)"), NPY["content-type"]),
        "a shape that no array can have",
    ),
    "many sides": (
        422,
        body(array_header("'|u1'", f"({'1,' * 3000})"), NPY["content-type"]),
        "must be uint8",
    ),
    "deep header": (422, body(header("(" * 9000), NPY["content-type"]), "is not an .npy"),
    "version 3": (
        422,
        body(header("{}", (3, 0)), NPY["content-type"]),
        "is not an .npy file of version 1 or 2",
    ),
    "header without end": (
        422,
        body(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{", NPY["content-type"]),
        "npy",
    ),
}


ADAPT = ("cut JPEG", "huge PNG", "text", "too many bytes in chunks", "form cut short", "a pickle")


@pytest.mark.parametrize(
    ("operation", "case"),
    [*(("/predict", case) for case in BAD), *(("/adapt", case) for case in ADAPT)],
)
def test_bad_input_is_told_in_one_line(case: str, operation: str, shared: Service) -> None:
    status, content, detail = BAD[case]
    if isinstance(content.get("content"), Iterator):
        content = {
            **content,
            "content": chunked(TOO_MUCH if "form" not in case else PART + TOO_MUCH),
        }
    before = shared.versions()
    answer = shared.http.post(operation, **content)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail", "request_id"}
    assert problem["type"].startswith("urn:reciprocal-norm:")
    assert problem["status"] == status
    assert detail in problem["detail"]
    assert "\n" not in problem["detail"] and len(problem["detail"]) < 300
    assert shared.versions() == before
    assert shared.predict(IMAGES[:1])["version"] == 0

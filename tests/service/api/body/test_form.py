"""Which parts of a form are images."""

import pytest

from service.api.body.form import MAX_PARTS, read_form
from service.errors import MalformedRequest, TooLarge
from tests.service.pictures import noise, png
from tests.service.running import Service

KIND = "multipart/form-data; boundary=x"


def part(headers: str, content: bytes = b"content") -> bytes:
    disposition = f"Content-Disposition: form-data; {headers}\r\n\r\n".encode()
    return b"--x\r\n" + disposition + content + b"\r\n"


@pytest.mark.parametrize(
    ("headers", "is_image"),
    [
        ('name="a"; filename="b.png"', True),
        ('name="a"; filename=""', True),
        ("name=a; filename=b", True),
        ('name="file"', True),
        ('name="files"', True),
        ('name="image"', True),
        ('name="images"', True),
        ('name="a"\r\nContent-Type: image/png', True),
        ('name="a"\r\ncontent-type: application/octet-stream', True),
        ('name="a"', False),
        ('name="image"\r\nContent-Type: text/plain', False),
        ('name="a"\r\nContent-Type: text/plain', False),
    ],
)
def test_parts_that_are_images(headers: str, is_image: bool) -> None:
    found = read_form(part(headers) + b"--x--\r\n", KIND, 10)
    assert found == ([b"content"] if is_image else [])


def test_contents_are_exact() -> None:
    contents = [b"", b"\r\n--x", b"\r\n--", b"\r" * 1000, bytes(range(256)) * 1000, b"--x--"]
    # A boundary begins a line, and nothing but its end follows it.
    expected = [content for content in contents if content != b"\r\n--x"]
    body = b"".join(part('name="file"', content) for content in expected)
    assert read_form(body + b"--x--\r\n", KIND, 10) == expected


def test_preamble_and_epilogue_are_ignored() -> None:
    body = b"\r\n" + part('name="file"') + b"--x--\r\nepilogue"
    assert read_form(body, KIND, 10) == [b"content"]


@pytest.mark.parametrize("kind", ["multipart/form-data", f"{KIND}{'y' * 300}"])
def test_boundaries_that_are_none(kind: str) -> None:
    with pytest.raises(MalformedRequest):
        read_form(part('name="file"') + b"--x--\r\n", kind, 10)


def test_fields_are_bounded() -> None:
    with pytest.raises(TooLarge, match="more than 1000 fields"):
        read_form(part('name="a"') * (MAX_PARTS + 11) + b"--x--\r\n", KIND, 10)


def test_a_part_without_a_file_name_is_predicted(shared: Service) -> None:
    body = part('name="image"', png(noise(1)[0])) + part('name="comment"') + b"--x--\r\n"
    answer = shared.http.post("/predict", content=body, headers={"content-type": KIND})
    assert answer.status_code == 200 and len(answer.json()["predictions"]) == 1

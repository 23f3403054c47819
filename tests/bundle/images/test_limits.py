"""Files that are small but would take long to read."""

import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from bundle.images.decoding import decode_image
from bundle.images.errors import ImageTooLarge
from bundle.images.limits import MAX_READS, MAX_STRIPS, MAX_TEXT, count_strips
from bundle.images.pixels import displayed
from tests.bundle.images.test_decoding import encoded

PARTS = 2 * MAX_READS


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def png(count: int, *, behind: bool) -> bytes:
    """A PNG with empty chunks before or behind its pixels."""
    whole = encoded("PNG")
    place = whole.index(b"IEND" if behind else b"IDAT") - 4
    return whole[:place] + chunk(b"prVt") * count + whole[place:]


def jpeg(segment: bytes) -> bytes:
    whole = encoded("JPEG")
    return whole[:2] + segment * PARTS + whole[2:]


def gif(block: bytes) -> bytes:
    whole = encoded("GIF")
    place = whole.index(b",", 13)
    return whole[:place] + block * PARTS + whole[place:]


def bmp(runs: int) -> bytes:
    """A BMP whose runs are one pixel long each."""
    side, palette = 1000, bytes(1024)
    head = struct.pack("<IHHI", 54 + 1024 + 2 * runs, 0, 0, 54 + 1024)
    info = (40, side, side, 1, 8, 1, 2 * runs, 0, 0, 256, 0)
    return b"BM" + head + struct.pack("<IiiHHIIiiII", *info) + palette + b"\x01\x05" * runs


PARTED: dict[str, Callable[[], bytes]] = {
    "chunks of a PNG": lambda: png(PARTS, behind=False),
    "chunks behind the pixels": lambda: png(PARTS, behind=True),
    "comments of a JPEG": lambda: jpeg(b"\xff\xfe\0\2"),
    "metadata of a JPEG": lambda: jpeg(b"\xff\xe5\0\2"),
    "fill bytes of a JPEG": lambda: jpeg(b"\xff"),
    "comments of a GIF": lambda: gif(b"\x21\xfe\x01a\0"),
    "bytes between blocks of a GIF": lambda: gif(b"\0"),
    "runs of a BMP": lambda: bmp(PARTS),
    "comments of a PGM": lambda: b"P5\n" + b"#\n" * PARTS + b"8 8\n255\n" + bytes(64),
}


@pytest.mark.parametrize("name", PARTED)
def test_files_of_countless_parts_are_refused(name: str) -> None:
    with pytest.raises(ImageTooLarge, match="consists of far more parts than encoders write"):
        decode_image(PARTED[name]())


def test_files_of_many_parts_are_read() -> None:
    assert decode_image(png(MAX_READS // 10, behind=False)).size == (8, 8)
    rows = np.arange(256, dtype=np.uint8).repeat(1000).reshape(-1, 1000)
    whole = encoded("PNG", Image.fromarray(rows))
    start = whole.index(b"IDAT") - 4
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows), level=0)
    parts = [chunk(b"IDAT", data[place : place + 512]) for place in range(0, len(data), 512)]
    content = whole[:start] + b"".join(parts) + chunk(b"IEND")
    np.testing.assert_array_equal(np.asarray(decode_image(content)), rows)


def tiff(strips: int, tag: int, *, order: str, big: bool) -> bytes:
    """The directory of a TIFF whose rows are one strip each."""
    size, number, entry = ("Q", "Q", "HHQQ") if big else ("I", "H", "HHII")
    mark = b"II" if order == "<" else b"MM"
    head = mark + (
        struct.pack(f"{order}HHHQ", 43, 8, 0, 16) if big else struct.pack(f"{order}HI", 42, 8)
    )
    tags = [(256, 4, 1, 1), (257, 4, 1, strips), (tag, 4, strips, 0)]
    entries = b"".join(struct.pack(f"{order}{entry}", *values) for values in tags)
    return (
        head
        + struct.pack(f"{order}{number}", len(tags))
        + entries
        + struct.pack(f"{order}{size}", 0)
    )


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("tag", [273, 324])
def test_the_strips_of_a_tiff_are_counted_before_it_is_opened(
    tag: int, order: str, big: bool
) -> None:
    assert count_strips(tiff(5, tag, order=order, big=big)) == 5
    with pytest.raises(ImageTooLarge, match=r"has 65,537 strips; at most 65,536 are accepted"):
        decode_image(tiff(MAX_STRIPS + 1, tag, order=order, big=big))


def test_strips_of_real_files_are_counted() -> None:
    image = Image.new("L", (64, 64))
    assert count_strips(encoded("TIFF", image, tiffinfo={278: 4})) in (1, 16)
    assert count_strips(encoded("TIFF", image, big_tiff=True)) == 1
    assert [count_strips(content) for content in (b"", b"II", b"MM*\0" + b"\xff" * 8)] == [0, 0, 0]
    assert count_strips(encoded("PNG")) == 0


@pytest.mark.parametrize("kind", [b"P1", b"P2", b"P3"])
def test_pixels_in_text_are_bounded(kind: bytes) -> None:
    with pytest.raises(ImageTooLarge, match="bytes of pixels in text"):
        decode_image(kind + b"\n1000 1000\n255\n" + b"1 " * (MAX_TEXT // 2))
    assert decode_image(b"P2\n1 1\n255\n7\n").getpixel((0, 0)) == 7


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_images_are_composed_in_bands_as_in_one(mode: str) -> None:
    values = np.random.default_rng(0).integers(0, 256, (700, 900, 4), dtype=np.uint8)
    image = Image.fromarray(values)
    if mode == "P":
        content = encoded(
            "PNG", image.convert("RGB").quantize(16), transparency=bytes(range(0, 160, 10))
        )
    else:
        content = encoded("PNG", image.convert(mode))
    colours = decode_image(content).convert("RGBA")
    white = Image.new("RGBA", colours.size, (255, 255, 255, 255))
    whole = Image.alpha_composite(white, colours).convert("RGB")
    np.testing.assert_array_equal(displayed(decode_image(content), "RGB"), np.asarray(whole))

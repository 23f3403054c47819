"""Pixels of files as people have them, against what they are known to show."""

import io
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from bundle import Pixels, Preprocessing
from bundle.images.errors import UnsupportedImage

RAMP = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
HIGH = (RAMP >> 8).astype(np.uint8)


def contract(mode: Any, height: int = 8, width: int = 8) -> Preprocessing:
    channels = 1 if mode == "L" else 3
    return Preprocessing(
        mode=mode,
        height=height,
        width=width,
        mean=(0.5,) * channels,
        std=(0.5,) * channels,
        interpolation="nearest",
    )


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def read(content: bytes, mode: str = "L") -> Pixels:
    pixels = contract(mode).read(content)
    return pixels[..., 0] if mode == "L" else pixels


def tiff(values: NDArray[Any], *, bits: int, sample_format: int = 1, photometric: int = 1) -> bytes:
    """An uncompressed little-endian TIFF with one channel, rows packed to ``bits`` per pixel."""
    height, width = values.shape
    if bits == 12:
        flat = values.reshape(-1, 2).astype(np.uint16)
        first, second = flat[:, 0], flat[:, 1]
        packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], 1)
        data = packed.astype(np.uint8).tobytes()
    else:
        data = values.tobytes()
    tags = [
        (256, 3, width),
        (257, 3, height),
        (258, 3, bits),
        (259, 3, 1),
        (262, 3, photometric),
        (273, 4, 8 + 2 + 10 * 12 + 4),
        (277, 3, 1),
        (278, 3, height),
        (279, 4, len(data)),
        (339, 3, sample_format),
    ]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + b"\0\0\0\0" + data


DEEP = {
    "PNG": encoded(Image.fromarray(RAMP), "PNG"),
    "TIFF": encoded(Image.fromarray(RAMP), "TIFF"),
    "TIFF with LZW": encoded(Image.fromarray(RAMP), "TIFF", compression="tiff_lzw"),
    "PGM": b"P5\n8 8\n65535\n" + RAMP.astype(">u2").tobytes(),
    "PGM in text": b"P2\n8 8\n65535\n" + " ".join(map(str, RAMP.ravel())).encode() + b"\n",
    "12 bits": tiff(RAMP >> 4, bits=12),
    "white is zero": tiff(65535 - RAMP, bits=16, photometric=0),
}


@pytest.mark.parametrize("name", DEEP)
def test_deep_pixels_are_scaled_by_their_depth(name: str) -> None:
    np.testing.assert_allclose(read(DEEP[name]).astype(int), HIGH, atol=1)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (tiff(RAMP.astype("<u4"), bits=32), "has 32-bit pixels"),
        (tiff(RAMP.astype("<i4"), bits=32, sample_format=2), "has signed pixels"),
        (tiff(RAMP.view("<i2"), bits=16, sample_format=2), "has signed pixels"),
        (tiff(RAMP.astype("<f4"), bits=32, sample_format=3), "has floating-point pixels"),
        (b"Pf\n8 8\n-1.0\n" + RAMP.astype("<f4").tobytes(), "has floating-point pixels"),
    ],
)
def test_other_depths_are_named(content: bytes, complaint: str) -> None:
    with pytest.raises(UnsupportedImage, match=complaint):
        read(content)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_hidden_colours_never_show(form: str, mode: str) -> None:
    image = Image.new("RGBA", (8, 8), (200, 10, 30, 0))
    image.paste((0, 0, 0, 255), (0, 0, 4, 8))
    pixels = read(encoded(image, form, **({"lossless": True} if form == "WEBP" else {})), mode)
    assert (pixels[:, :4] == 0).all() and (pixels[:, 4:] == 255).all()


def test_half_transparent_pixels_are_half_white() -> None:
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 128))
    assert (read(encoded(image, "PNG")) == 127).all()


@pytest.mark.parametrize("mode", ["L", "P", "RGB"])
def test_transparency_by_a_colour_key_is_white(mode: str) -> None:
    image = Image.new("L", (8, 8), 40)
    image.paste(90, (0, 0, 4, 8))
    key: Any = (40, 40, 40) if mode == "RGB" else 40
    content = encoded(image.convert(mode), "PNG", transparency=key)
    assert (read(content)[:, 4:] == 255).all() and (read(content)[:, :4] < 100).all()


def test_a_deep_colour_key_is_white() -> None:
    content = encoded(Image.fromarray(RAMP), "PNG", transparency=int(RAMP[0, 0]))
    assert read(content)[0, 0] == 255


def exif(*entries: tuple[int, int, int, bytes]) -> bytes:
    """A block of metadata with orientation 6 and other entries: tag, type, count, value."""
    everything = sorted([(0x0112, 3, 1, struct.pack("<HH", 6, 0)), *entries])
    head, data = b"II*\0\x08\0\0\0" + struct.pack("<H", len(everything)), b""
    start = len(head) + 12 * len(everything) + 4
    for tag, kind, count, value in everything:
        content = value
        if len(value) > 4:
            content, data = struct.pack("<I", start + len(data)), data + value
        head += struct.pack("<HHI", tag, kind, count) + content.ljust(4, b"\0")
    return b"Exif\0\0" + head + b"\0\0\0\0" + data


ODD: dict[str, list[tuple[int, int, int, bytes]]] = {
    "nothing": [],
    "negative rational": [(0x011A, 5, 1, struct.pack("<iI", -1, 0))],
    "number for text": [(0x010F, 3, 1, struct.pack("<HH", 7, 0))],
    "text for number": [(0x0128, 2, 3, b"ab\0")],
    "pointer beyond the end": [(0x8769, 4, 1, struct.pack("<I", 60000))],
    "text for pointer": [(0x8769, 2, 4, b"abc\0")],
    "unknown type": [(0x0132, 99, 1, b"abcd")],
}


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("odd", ODD)
def test_orientation_survives_odd_metadata(odd: str, form: str) -> None:
    image = Image.new("RGB", (16, 8))
    image.paste((255, 255, 255), (0, 0, 8, 8))
    content = encoded(image, form, exif=exif(*ODD[odd]))
    pixels = contract("L", 16, 8).read(content)[..., 0]
    assert pixels[:8].mean() > 200 and pixels[8:].mean() < 50


def test_an_orientation_that_is_text_does_not_matter() -> None:
    image = Image.new("RGB", (8, 8))
    content = encoded(image, "JPEG", exif=exif()[:-22] + b"\x12\x01\x02\0\x02\0\0\0" + b"6\0\0\0")
    assert (read(content) == 0).all()


@given(
    form=st.sampled_from(["PNG", "TIFF", "JPEG", "WEBP", "AVIF", "HEIF"]),
    orientation=st.integers(1, 8),
    compression=st.sampled_from([None, "tiff_lzw", "tiff_deflate"]),
)
def test_every_orientation_is_turned(form: str, orientation: int, compression: str | None) -> None:
    upright = Image.new("L", (16, 32), 0)
    upright.paste(255, (0, 0, 8, 16))  # the upper left quarter is white
    stored = {
        1: [],
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }[orientation]
    image = upright
    for turn in stored:
        image = image.transpose(turn)
    tags = Image.Exif()
    tags[0x0112] = orientation
    options = {"compression": compression} if form == "TIFF" and compression else {}
    content = encoded(image, form, exif=tags.tobytes(), **options)
    pixels = contract("L", 32, 16).read(content)[..., 0].astype(int)
    assert np.abs(pixels - np.asarray(upright)).mean() < 12

import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bundle.images import formats
from bundle.images.decoding import decode_image
from bundle.images.errors import DamagedImage, ImageError, ImageTooLarge, UnsupportedImage
from bundle.images.limits import MAX_SCANS


def encoded(form: str, image: Image.Image | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    (image or Image.new("L", (8, 8), 7)).save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "form", ["AVIF", "BMP", "GIF", "HEIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"]
)
def test_supported_formats_are_decoded(form: str) -> None:
    image = decode_image(encoded(form))
    assert (image.size, image.format) == ((8, 8), form)


def test_heif_needs_its_plug_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    formats.supported_suffixes.cache_clear()
    assert not formats.is_image_name("a.heic") and formats.is_image_name("A.JPG")
    hint = formats.plugin_hint(".heic")
    assert hint is not None and "[heif]" in hint and "pip install" in hint
    formats.supported_suffixes.cache_clear()


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"", DamagedImage, "is empty"),
        (b"text", UnsupportedImage, "is not an image in a supported format: AVIF, BMP, GIF"),
        (encoded("ICO"), UnsupportedImage, "is not an image in a supported format"),
        (encoded("JPEG2000"), UnsupportedImage, "is not an image in a supported format"),
        (encoded("PNG")[:-30], DamagedImage, "is damaged or incomplete: "),
        (
            encoded("TIFF", Image.new("1", (8, 8)), compression="group4"),
            UnsupportedImage,
            "has the compression group4; convert it",
        ),
        (
            encoded("JPEG") + struct.pack(">H", 0xFFDA) * MAX_SCANS,
            ImageTooLarge,
            f"has {MAX_SCANS + 1} scans",
        ),
    ],
)
def test_what_is_not_decoded_is_reported_in_one_line(
    content: bytes, error: type[ImageError], message: str
) -> None:
    with pytest.raises(error, match=message) as failed:
        decode_image(content)
    assert "\n" not in str(failed.value)


def test_the_size_is_checked_before_anything_is_decoded() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 0, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IEND", b"")
    with pytest.raises(ImageTooLarge, match=r"2147483647 x 2147483647 = .* at most 50,000,000"):
        decode_image(content)
    assert decode_image(encoded("PNG"), max_pixels=64).size == (8, 8)
    with pytest.raises(ImageTooLarge, match="8 x 8 = 64 pixels; at most 63 are accepted"):
        decode_image(encoded("PNG"), max_pixels=63)


@pytest.mark.parametrize("compression", ["tiff_ccitt", "group3", "group4"])
def test_damaged_faxes_write_nothing_to_the_log(compression: str, tmp_path: Path) -> None:
    """In a process of its own, because the decoder writes past Python."""
    content = bytearray(encoded("TIFF", Image.new("1", (512, 512)), compression=compression))
    content[8:40] = os.urandom(32)
    (tmp_path / "fax.tif").write_bytes(content)
    code = (
        "import sys; from pathlib import Path; from bundle.images.decoding import decode_image\n"
        "from bundle.images.errors import ImageError\n"
        "try: decode_image(Path(sys.argv[1]).read_bytes())\n"
        "except ImageError: pass"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "fax.tif")],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert (found.stdout, found.stderr) == (b"", b"")

"""Limits on the parts of an image file, so that the time to read it is bounded before it is read."""

import io
import struct

from bundle.images.errors import ImageTooLarge

# Decoders read every part by itself: a chunk of a PNG, a segment of a JPEG, a run of a BMP. Those that
# encoders write have kilobytes; 32 MB of empty ones would take half a minute.
MAX_READS = 400_000
BYTES_PER_READ = 256
# A progressive JPEG is decoded once per scan; encoders write about ten.
MAX_SCANS = 64
# An uncompressed TIFF is read strip by strip; encoders write strips of several kilobytes.
MAX_STRIPS = 65_536
# Numbers in text are read far more slowly than bytes.
MAX_TEXT = 4 * 2**20

_STRIP_OFFSETS, _TILE_OFFSETS = 273, 324
_BIG_TIFF = 43
_PLAIN_PNM = (b"P1", b"P2", b"P3")


class MeteredFile(io.BytesIO):
    """Content of an image file that can only be read in a limited number of parts.

    Args:
        content: content of the file.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._left = MAX_READS + len(content) // BYTES_PER_READ

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most ``size`` bytes.

        Raises:
            ImageTooLarge: if it was read too often.
        """
        self._left -= 1
        if self._left < 0:
            raise ImageTooLarge(
                "consists of far more parts than encoders write; save it with another program"
            )
        return super().read(size)


def check_before_opening(content: bytes) -> None:
    """Check what a decoder would walk through as soon as it opens the file.

    Raises:
        ImageTooLarge: if that would take too long.
    """
    if content.startswith(_PLAIN_PNM) and len(content) > MAX_TEXT:
        raise ImageTooLarge(
            f"has {len(content):,} bytes of pixels in text; at most {MAX_TEXT:,} are accepted: convert"
            " it to a binary PNM"
        )
    check_strips(count_strips(content))


def check_strips(strips: int) -> None:
    """Check the number of strips or tiles of a TIFF.

    Raises:
        ImageTooLarge: if it has too many.
    """
    if strips > MAX_STRIPS:
        raise ImageTooLarge(f"has {strips:,} strips; at most {MAX_STRIPS:,} are accepted")


def check_scans(content: bytes) -> None:
    """Check the number of scans of a JPEG.

    Raises:
        ImageTooLarge: if it has too many.
    """
    scans = content.count(struct.pack(">H", 0xFFDA))
    if scans > MAX_SCANS:
        raise ImageTooLarge(f"has {scans} scans; at most {MAX_SCANS} are accepted")


def count_strips(content: bytes) -> int:
    """Number of strips or tiles that the first image of a TIFF claims; 0 for other files."""
    order = {b"II": "<", b"MM": ">"}.get(content[:2])
    if order is None:
        return 0
    big = _BIG_TIFF in content[2:4]
    count, entry = (f"{order}Q", f"{order}HHQQ") if big else (f"{order}H", f"{order}HHII")
    try:
        (start,) = struct.unpack_from(f"{order}{'Q' if big else 'I'}", content, 8 if big else 4)
        (entries,) = struct.unpack_from(count, content, start)
        first = start + struct.calcsize(count)
        tags = struct.iter_unpack(
            entry, content[first : first + min(entries, MAX_STRIPS) * struct.calcsize(entry)]
        )
        return max(
            (n for tag, _, n, _ in tags if tag in (_STRIP_OFFSETS, _TILE_OFFSETS)), default=0
        )
    except (struct.error, IndexError):
        return 0

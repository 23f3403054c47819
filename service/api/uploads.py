"""Reads the images of a request, in every form in which clients send them."""

import base64
import binascii
from dataclasses import dataclass

import numpy as np
from fastapi import Request

from bundle.preprocessing import Pixels, Preprocessing
from service.api.body.array import read_array
from service.api.body.form import read_form
from service.api.body.json_body import parse_json
from service.api.body.reading import content_type, parse, read_body
from service.api.decoding import decode_image
from service.api.dependencies import caller_of
from service.errors import InvalidContent, MalformedRequest, TooLarge, UnsupportedContent
from service.settings import Settings

ACCEPTED = "image/*, multipart/form-data, application/json or application/x-npy"
_OTHER_KINDS = ("multipart/form-data", "application/json", "application/x-npy")
_EMPTY = "the body is empty; send an image"
# A few images too many are counted exactly, once they are parsed.
_VALUES_PER_IMAGE, _MORE_VALUES = 2, 64
_STANDARD = bytes.maketrans(b"-_", b"+/")


@dataclass(frozen=True)
class Upload:
    """The images of a request as they arrived: files to decode, or pixels.

    Attributes:
        files: contents of image files.
        pixels: ``(N, H, W, C)`` uint8 if they arrived as an array; then there are no files.
    """

    files: list[bytes]
    pixels: Pixels | None = None

    def __len__(self) -> int:
        """Number of images."""
        return len(self.files) if self.pixels is None else len(self.pixels)

    def decode(self, index: int, preprocessing: Preprocessing, max_pixels: int) -> Pixels:
        """Pixels ``(H, W, C)`` of an image.

        Raises:
            ServiceError: saying why there are none.
        """
        if self.pixels is not None:
            # A copy: one image that is kept must not keep the whole body in memory.
            image: Pixels = self.pixels[index].copy()
            return image
        return decode_image(self.files[index], preprocessing, max_pixels, f"image {index}")

    def decode_part(
        self, start: int, stop: int, preprocessing: Preprocessing, max_pixels: int
    ) -> Pixels:
        """Pixels ``(stop - start, H, W, C)`` of some images.

        Raises:
            ServiceError: saying why one of them has none.
        """
        if self.pixels is not None:
            return self.pixels[start:stop]
        images = [self.decode(index, preprocessing, max_pixels) for index in range(start, stop)]
        return images[0][np.newaxis] if len(images) == 1 else np.stack(images)


async def read_upload(request: Request, preprocessing: Preprocessing, settings: Settings) -> Upload:
    """Read a request's body, counting its bytes as they arrive.

    Raises:
        MalformedRequest: if there is no image, or the form is broken.
        TooLarge: if it has more bytes or images than allowed.
        UnsupportedContent: if its content type is not one of ``ACCEPTED``.
        InvalidContent: if the content is not what its type says.
        Overloaded: if there is no room for it beside the bodies of other requests.
        RateLimited: if the client has used up its images.
    """
    kind = content_type(request)
    if not kind and request.headers.get("content-length", "0") == "0" and not _is_chunked(request):
        raise MalformedRequest(_EMPTY)
    is_file = kind.startswith("image/") or kind == "application/octet-stream"
    # Before the body is read, so that a client that asks first need not send it.
    if not is_file and kind not in _OTHER_KINDS:
        raise UnsupportedContent(f"unsupported content type {kind or '(none)'}; send {ACCEPTED}")
    body = await read_body(request, settings.max_body_bytes)
    if not body:
        raise MalformedRequest(_EMPTY)
    most = settings.max_images
    if is_file:
        upload = Upload([body])
    elif kind == "application/x-npy":
        upload = Upload([], read_array(body, preprocessing))
    elif kind == "application/json":
        upload = Upload(await parse(lambda: _from_json(body, most), len(body)))
    else:
        header = request.headers["content-type"]
        upload = Upload(await parse(lambda: read_form(body, header, most), len(body)))
    if not len(upload):
        raise MalformedRequest("the request holds no image")
    if len(upload) > settings.max_images:
        raise TooLarge(
            f"the request holds {len(upload)} images; at most {settings.max_images} are accepted"
        )
    caller_of(request).charge_images(len(upload))
    return upload


def _is_chunked(request: Request) -> bool:
    return "transfer-encoding" in request.headers


def _from_json(body: bytes, max_images: int) -> list[bytes]:
    expected = 'expected {"images": ["<base64 of an image file>", ...]}'
    try:
        content = parse_json(body, _VALUES_PER_IMAGE * max_images + _MORE_VALUES)
    except MalformedRequest as error:
        raise MalformedRequest(f"{error.detail}; {expected}") from error
    images = content.get("images") if isinstance(content, dict) else None
    if not isinstance(images, list) or not all(isinstance(image, str) for image in images):
        raise InvalidContent(expected)
    try:
        return [_decode_base64(image) for image in images]
    except (binascii.Error, ValueError) as error:
        raise InvalidContent(f"an image is not base64: {error}") from error


def _decode_base64(text: str) -> bytes:
    """Decode base64 as clients write it: in lines, as a data URL, URL-safe, or without padding."""
    if text.startswith("data:"):
        header, _, text = text.partition(",")
        if not header.endswith(";base64"):
            raise ValueError("the data URL is not in base64")
    # One pass in C; the methods of str would make a copy each.
    plain = text.encode("ascii").translate(_STANDARD, b" \t\r\n\f\v").rstrip(b"=")
    return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)

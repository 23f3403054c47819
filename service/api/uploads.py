"""Reads the images of a request, in every form in which clients send them."""

import base64
import binascii
import io
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import numpy as np
from fastapi import Request
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from bundle.preprocessing import Pixels, Preprocessing
from service.api.decoding import decode_image
from service.errors import (
    InvalidContent,
    MalformedRequest,
    TooLarge,
    UnsupportedContent,
)
from service.settings import Settings

ACCEPTED = "image/*, multipart/form-data, application/json or application/x-npy"
_OTHER_KINDS = ("multipart/form-data", "application/json", "application/x-npy")


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
    """
    kind = content_type(request)
    is_file = kind.startswith("image/") or kind == "application/octet-stream"
    # Before the body is read, so that a client that asks first need not send it.
    if not is_file and kind not in _OTHER_KINDS:
        raise UnsupportedContent(f"unsupported content type {kind or '(none)'}; send {ACCEPTED}")
    if kind == "multipart/form-data":
        upload = await _multipart(request, settings)
    else:
        body = await read_body(request, settings.max_body_bytes)
        if not body:
            raise MalformedRequest("the body is empty; send an image")
        if is_file:
            upload = Upload([body])
        elif kind == "application/json":
            upload = _from_json(body)
        else:
            upload = Upload([], _from_npy(body, preprocessing))
    if not len(upload):
        raise MalformedRequest("the request holds no image")
    if len(upload) > settings.max_images:
        raise TooLarge(
            f"the request holds {len(upload)} images; at most {settings.max_images} are accepted"
        )
    return upload


def content_type(request: Request) -> str:
    """The media type of a request's body, in lower case and without parameters; empty if there is none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_body(request: Request, limit: int) -> bytes:
    """Read the whole body.

    Raises:
        TooLarge: as soon as more than ``limit`` bytes are announced or have arrived.
    """
    return b"".join([chunk async for chunk in _limited(request, limit)])


async def _limited(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    message = f"the body is larger than the {limit:,} bytes that are accepted"
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise TooLarge(message)
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > limit:
            raise TooLarge(message)
        yield chunk


class _FormParser(MultiPartParser):
    """Fails on a form that ends too soon; starlette would accept the parts that are complete."""

    def __init__(self, request: Request, settings: Settings) -> None:
        headers: Headers = request.headers
        super().__init__(
            headers,
            self._checked(_limited(request, settings.max_body_bytes)),
            max_files=settings.max_images,
            max_part_size=settings.max_body_bytes,
        )
        # Images are kept in memory, and the body is bounded already.
        self.spool_max_size = settings.max_body_bytes
        self._ended = False

    def on_end(self) -> None:
        self._ended = True

    async def _checked(self, chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        async for chunk in chunks:
            yield chunk
        # Raised from within the stream, because the parser then closes the files it has opened.
        if not self._ended:
            raise MultiPartException("its last boundary is missing.")


async def _multipart(request: Request, settings: Settings) -> Upload:
    parser = _FormParser(request, settings)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if error.message.startswith("Too many files"):
            raise TooLarge(f"at most {settings.max_images} images are accepted") from error
        raise MalformedRequest(f"the multipart body is malformed: {error.message}") from error
    except KeyError as error:
        raise MalformedRequest(
            "the multipart body is malformed: its content type has no boundary"
        ) from error
    try:
        uploads = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
        return Upload([await upload.read() for upload in uploads])
    finally:
        await form.close()


def _from_json(body: bytes) -> Upload:
    expected = 'expected {"images": ["<base64 of an image file>", ...]}'
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedRequest(f"the body is not JSON; {expected}") from error
    images = content.get("images") if isinstance(content, dict) else None
    if not isinstance(images, list) or not all(isinstance(image, str) for image in images):
        raise InvalidContent(expected)
    try:
        return Upload([_decode_base64(image) for image in images])
    except (binascii.Error, ValueError) as error:
        raise InvalidContent(f"an image is not base64: {error}") from error


def _decode_base64(text: str) -> bytes:
    """Decode base64 as clients write it: in lines, as a data URL, URL-safe, or without padding."""
    if text.startswith("data:"):
        header, _, text = text.partition(",")
        if not header.endswith(";base64"):
            raise ValueError("the data URL is not in base64")
    text = "".join(text.split()).translate(str.maketrans("-_", "+/")).rstrip("=")
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _from_npy(body: bytes, preprocessing: Preprocessing) -> Pixels:
    """Read an array without decoding it; its header, which may claim any size, is checked first."""
    shape = ("N", *preprocessing.shape)
    file = io.BytesIO(body)
    try:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        found, fortran, dtype = read(file)
    except Exception as error:  # numpy raises whatever Python's own parser raises
        raise InvalidContent("the body is not an .npy file of version 1 or 2") from error
    if dtype != np.uint8 or fortran or found[1:] != preprocessing.shape:
        raise InvalidContent(f"the array must be uint8 {shape} in C order, not {dtype} {found}")
    content = body[file.tell() :]
    if len(content) != np.prod([int(side) for side in found], dtype=object):
        raise InvalidContent(f"the array holds {len(content)} bytes, its header says {found}")
    pixels: Pixels = np.frombuffer(content, np.uint8).reshape(found)
    return pixels

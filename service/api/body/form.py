"""Reads the image files of a multipart form."""

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from service.errors import MalformedRequest, TooLarge

MAX_PARTS = 1000
# Names of parts that are images although they have no file name and no type.
IMAGE_NAMES = (b"file", b"files", b"image", b"images")


def read_form(body: bytes, content_type: str, max_images: int) -> list[bytes]:
    """The contents of all parts of a form that hold an image.

    These are the parts that have a file name, whose type is ``image/*`` or ``application/octet-stream``,
    or whose name is one of ``IMAGE_NAMES``. Other fields are ignored.

    Args:
        body: the form.
        content_type: its content type, which names the boundary.
        max_images: largest number of images.

    Raises:
        MalformedRequest: if the form is broken.
        TooLarge: if it holds too many images or fields.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise _malformed("its content type has no boundary")
    parts = _Parts(max_images)
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": parts.on_part_begin,
                "on_part_data": parts.on_part_data,
                "on_part_end": parts.on_part_end,
                "on_header_field": parts.on_header_field,
                "on_header_value": parts.on_header_value,
                "on_header_end": parts.on_header_end,
                "on_headers_finished": parts.on_headers_finished,
                "on_end": parts.on_end,
            },
        )
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise _malformed("it is not as its boundary says") from error
    if not parts.ended:
        raise _malformed("its last boundary is missing")
    return parts.images


class _Parts:
    def __init__(self, max_images: int) -> None:
        self.images: list[bytes] = []
        self.ended = False
        self._max_images = max_images
        self._count = 0
        self._name = self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._pieces: list[bytes] | None = None

    def on_part_begin(self) -> None:
        self._count += 1
        if self._count > MAX_PARTS + self._max_images:
            raise TooLarge(f"the form has more than {MAX_PARTS} fields")
        self._headers = {}

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        name = options.get(b"name")
        if name is None:
            raise _malformed("a part has no name")
        kind, _ = parse_options_header(self._headers.get(b"content-type"))
        is_image = (
            b"filename" in options
            or kind.startswith(b"image/")
            or kind == b"application/octet-stream"
            or (not kind and name in IMAGE_NAMES)
        )
        self._pieces = [] if is_image else None
        if is_image and len(self.images) == self._max_images:
            raise TooLarge(f"at most {self._max_images} images are accepted")

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._pieces is not None:
            self._pieces.append(data[start:end])

    def on_part_end(self) -> None:
        if self._pieces is not None:
            self.images.append(b"".join(self._pieces))
            self._pieces = None

    def on_end(self) -> None:
        self.ended = True


def _malformed(reason: str) -> MalformedRequest:
    return MalformedRequest(f"the multipart body is malformed: {reason}")

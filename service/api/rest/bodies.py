"""The OpenAPI description of bodies that carry images, or their moments."""

from typing import Any

_FILE = {"type": "string", "format": "binary"}
_FILES = {"type": "object", "properties": {"file": {"type": "array", "items": _FILE}}}
_BASE64 = {"type": "string", "format": "byte", "description": "An image file, base64."}
_JSON = {
    "type": "object",
    "required": ["images"],
    "properties": {"images": {"type": "array", "minItems": 1, "items": _BASE64}},
}
# A grey pixel as a PNG file.
_EXAMPLE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)

IMAGES_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": (
            "One image as the body itself, any number as files of a form, as base64 in JSON, or as an"
            " .npy array uint8 (N, height, width, channels) that is preprocessed already."
        ),
        "content": {
            "image/png": {"schema": _FILE},
            "image/jpeg": {"schema": _FILE},
            "application/octet-stream": {"schema": _FILE},
            "multipart/form-data": {"schema": _FILES},
            "application/json": {"schema": _JSON, "example": {"images": [_EXAMPLE]}},
            "application/x-npy": {"schema": _FILE},
        },
    }
}

MOMENTS_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A file that `rn observe` wrote.",
        "content": {"application/octet-stream": {"schema": _FILE}},
    }
}

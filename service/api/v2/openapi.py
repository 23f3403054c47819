"""The OpenAPI description of bodies and errors of the protocol."""

from typing import Any

_ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
ERROR_CONTENT = {"application/json": {"schema": _ERROR}}
_FILE = {"type": "string", "format": "binary"}

ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"description": meaning, "content": ERROR_CONTENT}
    for status, meaning in {
        400: "The request is incomplete or not well-formed.",
        404: "There is no such model, version or target.",
        409: "The state of the model does not allow it.",
        413: "More bytes, values, pixels or images than allowed.",
        415: "The content type is not supported.",
        422: "A value is not allowed, or the bundle of the model cannot be loaded.",
        429: "Too much is waiting.",
        503: "The service is shutting down, or the ledger cannot be used.",
        504: "The prediction was not ready in time.",
    }.items()
}

_TENSOR = {
    "type": "object",
    "required": ["name", "datatype", "shape"],
    "properties": {
        "name": {"type": "string"},
        "datatype": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer"}},
        "data": {"type": "array"},
        "parameters": {"type": "object"},
    },
}
_REQUEST = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string"},
        "inputs": {"type": "array", "items": _TENSOR, "minItems": 1, "maxItems": 1},
        "outputs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"enum": ["probabilities", "label"]}},
            },
        },
        "parameters": {"type": "object"},
    },
}

INFER_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "JSON, with the bytes of binary tensors behind it.",
        "content": {
            "application/json": {"schema": _REQUEST},
            "application/octet-stream": {"schema": _FILE},
        },
    }
}
INFER_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The prediction: JSON, with the bytes of outputs that are wanted as such behind it.",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "application/octet-stream": {"schema": _FILE},
        },
    },
    **ERRORS,
}
INDEX_BODY: dict[str, Any] = {
    "requestBody": {
        "content": {
            "application/json": {
                "schema": {"type": "object", "properties": {"ready": {"type": "boolean"}}}
            }
        }
    }
}
_NOTHING = {"type": "object", "properties": {"parameters": {"type": "object", "maxProperties": 0}}}
LOAD_BODY: dict[str, Any] = {"requestBody": {"content": {"application/json": {"schema": _NOTHING}}}}
UNLOAD_BODY: dict[str, Any] = {
    "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}
}

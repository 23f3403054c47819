"""Writes the description of the API for the client of the page: ``python -m scripts.api_description``."""

import json
from pathlib import Path

from fastapi import FastAPI

from service.app import add_routes
from service.schemas import ActivityInfo

FILE = Path(__file__).parents[1] / "page" / "openapi.json"


def api_description() -> str:
    """The OpenAPI description of every operation, and what the stream sends, as JSON."""
    app = FastAPI(title="Reciprocal Normalization service", version="1")
    add_routes(app)
    description = app.openapi()
    # The description of a stream says nothing of its events.
    description["components"]["schemas"]["ActivityInfo"] = ActivityInfo.model_json_schema()
    return json.dumps(description, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    FILE.write_text(api_description())

"""Query parameters of lists that grow."""

from typing import Annotated

from fastapi import Query

Limit = Annotated[int, Query(ge=1, le=1000, description="Maximum number of items.")]

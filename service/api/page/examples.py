"""GET /examples."""

from typing import Annotated

from fastapi import APIRouter, Query

from bundle.images.encoding import encode_png_text
from service.api.dependencies import ResourcesDep
from service.api.problems import problem_responses
from service.api.rest.paging import Limit
from service.errors import InvalidContent
from service.models.examples import MAX_EXAMPLES
from service.schemas import ExampleImage, ExampleList

router = APIRouter(tags=["page"])


@router.get("/examples", responses=problem_responses(InvalidContent))
async def list_examples(
    resources: ResourcesDep,
    limit: Limit = 100,
    offset: Annotated[
        int, Query(ge=0, le=MAX_EXAMPLES, description="Number of images to pass over.")
    ] = 0,
) -> ExampleList:
    """List labelled images of the default model, to try what a changed camera does; see RN_EXAMPLES."""
    examples = resources.examples
    if examples is None:
        return ExampleList(total=0, images=[])
    chosen = slice(offset, offset + limit)

    def describe() -> list[ExampleImage]:
        return [
            ExampleImage(label=label, png=encode_png_text(pixels))
            for label, pixels in zip(examples.labels[chosen], examples.pixels[chosen], strict=True)
        ]

    return ExampleList(total=len(examples), images=await resources.offload(describe))

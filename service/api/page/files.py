"""The files of the page, as they were built from ``page/``."""

import gzip
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import gzip_accepted
from starlette.exceptions import HTTPException

BUILT = Path(__file__).parent / "static"
INDEX = "index.html"

# The page runs its own scripts and talks to this service alone; it shows images that it was given or made.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
    " media-src blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
# The name of a file changes with its content.
_FOR_EVER = "public, max-age=31536000, immutable"
_NOT_BUILT = b"""The page was not built with this installation. The API is described at docs.
In a checkout, `make page` builds it.
"""


@dataclass(frozen=True)
class PageFile:
    """A file in memory.

    Attributes:
        content: its bytes.
        compressed: the same by gzip.
        media_type: type of the content.
    """

    content: bytes
    compressed: bytes
    media_type: str

    @classmethod
    def read(cls, path: Path) -> "PageFile":
        """Read and compress a file."""
        content = path.read_bytes()
        media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        # Some systems have old tables.
        if path.suffix == ".js":
            media_type = "text/javascript"
        return cls(content, gzip.compress(content, mtime=0), media_type)

    def answer(self, request: Request, caching: str) -> Response:
        """The answer to a request, compressed if the client reads that."""
        headers = {"Cache-Control": caching, "Vary": "Accept-Encoding"}
        compressed = gzip_accepted(request.headers.get("accept-encoding", ""))
        if compressed:
            headers["Content-Encoding"] = "gzip"
        content = self.compressed if compressed else self.content
        return Response(content, media_type=self.media_type, headers=headers)


def page_router(folder: Path = BUILT) -> APIRouter:
    """Routes of the page: ``/`` and its files.

    Args:
        folder: where it was built; what is not there is said in words.
    """
    router = APIRouter(include_in_schema=False)
    index = PageFile.read(folder / INDEX) if (folder / INDEX).is_file() else None
    files = {path.name: PageFile.read(path) for path in sorted(folder.glob("page/*"))}

    @router.get("/")
    async def root(request: Request) -> Response:
        if index is None:
            return Response(_NOT_BUILT, media_type="text/plain")
        response = index.answer(request, "no-cache")
        response.headers["Content-Security-Policy"] = POLICY
        return response

    @router.get("/page/{file}")
    async def page_file(request: Request, file: str) -> Response:
        if file not in files:
            raise HTTPException(404, f"the page has no file {file!r}")
        return files[file].answer(request, _FOR_EVER)

    return router

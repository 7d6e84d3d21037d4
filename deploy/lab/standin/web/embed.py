"""`/embed/embed.js`: the script of embedded calendars, with this instance's own address inside.

In the container it is a file that the start script patches, as in the official image: where the patch did
not run (FACTS §10.1), the address that the image was built for is served. Elsewhere the address is written
in here.
"""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from ..instance import Instance

BUILT_FOR = "http://localhost:3000"
IN_IMAGE = Path("/calcom/apps/web/public/embed/embed.js")
IN_REPOSITORY = Path(__file__).parent.parent / "image" / IN_IMAGE.relative_to("/")


def script(instance: Instance) -> str:
    """The script's text."""
    if IN_IMAGE.is_file():
        return IN_IMAGE.read_text()
    return IN_REPOSITORY.read_text().replace(BUILT_FOR, instance.settings.public_url)


def embed_script(instance: Instance, _request: Request, _body: bytes) -> Response:
    """The script, cacheable but checked each time, and allowed on pages of any origin."""
    return Response(
        script(instance),
        headers={
            "content-type": "application/javascript; charset=UTF-8",
            "cache-control": "public, max-age=0",
            "cross-origin-resource-policy": "cross-origin",
        },
    )

"""A page whose streams are of another origin, with the documentation's CORS middleware."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

from .app import app as streams

PAGE = """<!doctype html><meta charset=utf-8><title>page</title>
<script type=module>
import * as reader from "./ai/client.js";
window.reader = reader;
</script>"""


async def page(request: Request) -> HTMLResponse:
    return HTMLResponse(PAGE)


cors = Middleware(
    CORSMiddleware,
    allow_origin_regex="http://localhost:[0-9]+",
    allow_methods=["GET", "POST", "DELETE"],
    allow_headers=["authorization", "content-type", "last-event-id"],
    expose_headers=[
        "content-location",
        "retry-after",
        "x-run-id",
        "x-stream-format",
        "x-thread-id",
    ],
)
app = Starlette(routes=[Route("/", page), Mount("/ai", streams)], middleware=[cors])

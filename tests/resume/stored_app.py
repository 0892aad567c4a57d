"""An app whose runs outlive it, for tests with several of its servers on one Redis."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from typing import Any

from langchain_core.runnables import RunnableGenerator
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Mount, Route

from asgi_stream import Resume, StreamApp, StreamRoute
from asgi_stream.stores.redis import RedisStore

from ..guarantees.probes import noted


async def count(values: AsyncIterator[Any]) -> AsyncIterator[str]:
    """Yield ``count`` tokens, ``per_second``; note when that begins and how it ends."""
    async for value in values:
        payload = value if isinstance(value, dict) else json.loads(value)
        with noted(str(payload.get("key", "")), "count"):
            for n in range(int(payload["count"])):
                yield f"t{n} "
                await asyncio.sleep(1 / float(payload["per_second"]))


store = RedisStore(os.environ["REDIS"], patience=float(os.environ.get("PATIENCE", "10")))
stored = Resume(store=store, keep=60)

PAGE = """<!doctype html><title>…</title><pre id=text></pre><script>
const source = new EventSource("stream/count?key=page&count=40&per_second=20");
// A page that is loaded again goes on with the run that it had.
const run = sessionStorage.getItem("run");
const from = run ? new EventSource(`stream/count/runs/${run}`) : source;
if (run) source.close();
from.onmessage = (event) => {
  sessionStorage.setItem("run", event.lastEventId.split(":")[0]);
  text.textContent += event.data === "[DONE]" ? "|" : JSON.parse(event.data).token;
};
from.onerror = () => { if (from.readyState === EventSource.CLOSED) document.title = "closed"; };
</script>"""


async def page(request: Request) -> HTMLResponse:
    return HTMLResponse(PAGE)


async def pid(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(os.getpid()))


counting = RunnableGenerator(count)
streams = StreamApp(
    [
        StreamRoute("/count", counting, methods=("GET", "POST"), resume=stored),
        StreamRoute("/short", counting, resume=Resume(store=store, frames=50)),
        StreamRoute(
            "/cancel_on_disconnect", counting, resume=Resume(store=store, on_disconnect="cancel")
        ),
        StreamRoute(
            "/chat",
            counting,
            format="vercel",
            conversation=lambda messages: messages[-1].text,
            resume=stored,
        ),
    ]
)

app = Starlette(
    routes=[Route("/", page), Route("/pid", pid), Mount("/stream", app=streams)],
)

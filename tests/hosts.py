"""The same table in the apps of other frameworks."""

from __future__ import annotations

from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpResponse
from django.urls import path
from fastapi import FastAPI
from langchain_core.runnables import RunnableGenerator
from litestar import Litestar
from litestar import asgi as litestar_asgi
from litestar import get as litestar_get
from litestar.types import Receive, Scope, Send
from quart import Quart
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from asgi_stream import StreamApp, StreamMiddleware, StreamRoute

from .apps import words
from .models import chain_of

PAGE = "a page of the host"


def routes(prefix: str = "") -> list[StreamRoute]:
    return [
        StreamRoute(f"{prefix}/hello", chain_of("Hel", "lo")),
        StreamRoute(f"{prefix}/kept", chain_of("Hel", "lo"), resume=True),
        StreamRoute(f"{prefix}/words", RunnableGenerator(words)),
    ]


streams = StreamApp(routes())


async def page(request: Request) -> PlainTextResponse:
    return PlainTextResponse(PAGE)


starlette = Starlette(routes=[Route("/page", page), Mount("/ai", app=streams)])
starlette_nested = Starlette(
    routes=[Route("/page", page), Mount("/outer", routes=[Mount("/ai", app=streams)])]
)

fastapi = FastAPI()
fastapi.mount("/ai", streams)


@fastapi.get("/page", response_class=PlainTextResponse)
async def fastapi_page() -> PlainTextResponse:
    return PlainTextResponse(PAGE)


@litestar_asgi("/ai", is_mount=True, copy_scope=False)
async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
    app: Any = streams
    await app(scope, receive, send)


@litestar_get("/page", sync_to_thread=False)
def litestar_page() -> str:
    return PAGE


litestar = Litestar([mounted, litestar_page], logging_config=None)

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="test")
django.setup()
urlpatterns = [path("page", lambda request: HttpResponse(PAGE))]
django: Any = StreamMiddleware(get_asgi_application(), routes=routes("/ai"))  # type: ignore[no-redef]

quart: Any = Quart(__name__)


@quart.get("/page")  # type: ignore[untyped-decorator]  # Quart is Any here
async def quart_page() -> str:
    return PAGE


quart.asgi_app = StreamMiddleware(quart.asgi_app, routes=routes("/ai"))

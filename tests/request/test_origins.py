"""Requests from pages of other origins, and from host names rebound to this machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypedDict
from uuid import uuid4

import pytest
from langgraph.graph import StateGraph
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from asgi_stream import StreamApp, StreamMiddleware, StreamRoute, TableError

from ..asgi import JSON, call, get, post
from ..models import chain_of

pytestmark = pytest.mark.anyio

PLAIN = {"content-type": "text/plain"}
HOST = {"host": "app.example:8000"}
PAGE = "https://page.example"


class State(TypedDict):
    value: str


def graph() -> Any:
    builder = StateGraph(State)
    builder.add_node("same", lambda state: state)
    builder.add_edge("__start__", "same")
    return builder.compile()


STOPS = {
    "vercel": f"/chat/{uuid4()}/stream",
    "langgraph": f"/graph/runs/{uuid4()}/cancel",
}
"""Paths where a POST without a body cancels a run; there is none here, so they response 404."""

app = StreamApp(
    [
        StreamRoute("/chat", chain_of("a"), format="vercel", resume=True),
        StreamRoute("/graph", graph(), format="langgraph", resume=True),
    ]
)

FOREIGN = [
    {"sec-fetch-site": "cross-site", "origin": PAGE},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site", "origin": "https://other.example"},
    {"origin": PAGE},
    {"origin": "null"},
    {"origin": "http://app.example"},
    {"origin": "http://app.example:8001"},
]
OWN: list[Mapping[str, str]] = [
    {},  # a program
    {"origin": "http://app.example:8000"},
    {"sec-fetch-site": "none"},
    # A proxy in front may pass on another Host.
    {"sec-fetch-site": "same-origin", "origin": "https://outside.example"},
]


@pytest.mark.parametrize("format", STOPS)
@pytest.mark.parametrize("kind", [{}, PLAIN, {"content-type": "multipart/form-data; boundary=x"}])
@pytest.mark.parametrize("headers", FOREIGN)
async def test_a_page_of_another_origin_cannot_cancel_a_run(
    headers: Mapping[str, str], kind: Mapping[str, str], format: str
) -> None:
    response = await call(app, "POST", STOPS[format], headers={**HOST, **kind, **headers})
    assert response.status == 415
    assert b"needs the header Content-Type: application/json" in response.body


@pytest.mark.parametrize("format", STOPS)
@pytest.mark.parametrize("kind", [{}, PLAIN])
@pytest.mark.parametrize("headers", OWN)
async def test_programs_and_pages_of_the_same_origin_cancel_runs_without_a_body(
    headers: Mapping[str, str], kind: Mapping[str, str], format: str
) -> None:
    response = await call(app, "POST", STOPS[format], headers={**HOST, **kind, **headers})
    assert response.status == 404


@pytest.mark.parametrize("headers", FOREIGN)
async def test_a_request_with_a_preflight_is_served(
    headers: Mapping[str, str],
) -> None:
    origin = headers.get("origin", PAGE)
    allowing = CORSMiddleware(app, allow_origins=[origin], allow_methods=["*"], allow_headers=["*"])
    for path in STOPS.values():
        response = await post(allowing, path, {}, headers={**HOST, **headers})
        assert response.status == 404
        if "origin" in headers:
            assert response.headers["access-control-allow-origin"] == origin
    response = await call(allowing, "DELETE", STOPS["vercel"], headers={**HOST, **headers})
    assert response.status == 404


async def test_a_page_of_another_origin_is_refused_before_authorize() -> None:
    called: list[Request] = []

    def authorize(request: Request) -> None:
        called.append(request)

    route = StreamRoute("/chat", chain_of("a"), format="vercel", resume=True, authorize=authorize)
    headers = {**HOST, **PLAIN, **FOREIGN[0]}
    for path in ("/chat", STOPS["vercel"]):
        response = await call(StreamApp([route]), "POST", path, "{}", headers=headers)
        assert response.status == 415
    assert not called


# The playground's hosts.

PLAYGROUND = [
    *("/playground", "/playground/", "/playground/table.json", "/playground/playground/page.js"),
    *("/playground/trace/0/chat", "/playground/nothing"),
]
ROUTE = StreamRoute("/chat", chain_of("a"))


def hosted(*hosts: str) -> StreamApp:
    return StreamApp([ROUTE], playground=True, allowed_hosts=hosts)


@pytest.mark.parametrize("path", PLAYGROUND)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
async def test_the_playground_is_not_served_for_another_host(method: str, path: str) -> None:
    headers = {**JSON, "host": "evil.example"}
    for root in ("", "/ai"):
        response = await call(
            hosted("localhost"),
            method,
            root + path,
            {"question": "?"},
            headers=headers,
            root_path=root,
        )
        assert response.status == 403
        error = json.loads(response.body)["error"]
        assert error["code"] == "refused"
        assert "allowed_hosts" in error["message"]


async def test_everything_but_the_playground_is_served_for_any_host() -> None:
    headers = {"host": "evil.example"}
    playground = hosted("localhost")
    assert (await post(playground, "/chat", {"question": "?"}, headers=headers)).status == 200
    for path in ("/health", "/openapi.json"):
        assert (await get(playground, path, headers=headers)).status == 200
    assert (await get(StreamApp([ROUTE], playground=True), "/playground")).status == 200
    without = StreamApp([ROUTE], allowed_hosts=["localhost"])
    assert (await get(without, "/playground", headers=headers)).status == 404


SERVED = [
    ("localhost", "localhost", True),
    ("localhost", "LOCALHOST:8000", True),
    ("LocalHost", "localhost:8000", True),
    ("localhost", "localhost.evil.example", False),
    ("localhost", "", False),
    ("127.0.0.1", "127.0.0.1:8000", True),
    ("[::1]", "[::1]:8000", True),
    ("::1", "[::1]", True),
    ("0:0::1", "[::1]:80", True),
    ("[::1]", "[::2]:8000", False),
    ("[::1]", "::1", False),
    ("*.example.com", "a.b.example.com:1", True),
    ("*.example.com", "example.com", False),
    ("*.example.com", "evilexample.com", False),
    ("*", "anything", True),
]


@pytest.mark.parametrize(("allowed", "host", "served"), SERVED)
async def test_hosts_are_matched(allowed: str, host: str, served: bool) -> None:
    playground = hosted("no.example", allowed)
    for path in ("/playground", "/playground/table.json"):
        response = await get(playground, path, headers={"host": host})
        assert response.status == (200 if served else 403)
    headers = {"host": host}
    response = await post(
        playground, "/playground/trace/0/chat", {"question": "?"}, headers=headers
    )
    assert response.status == (200 if served else 403)


async def test_a_request_without_a_host_is_refused() -> None:
    assert (await get(hosted("localhost"), "/playground")).status == 403


async def test_the_middleware_checks_the_host_for_its_own_playground_only() -> None:
    behind = PlainTextResponse("behind")
    playground = StreamMiddleware(behind, [ROUTE], playground=True, allowed_hosts=["localhost"])
    headers = {"host": "evil.example"}
    assert (await get(playground, "/playground", headers=headers)).status == 403
    assert (await get(playground, "/else", headers=headers)).body == b"behind"


@pytest.mark.parametrize(
    "hosts",
    [
        *("localhost", 1, [1], [""], ["localhost:8000"], ["[::1]:8000"], ["[nope]x"]),
        *(["http://x"], ["a*.example"], ["*.*.example"], ["*example"], ["a b"]),
    ],
)
def test_an_invalid_list_of_hosts_is_a_table_error(hosts: Any) -> None:
    for playground in (True, False):
        with pytest.raises(TableError, match="allowed_hosts"):
            StreamApp([ROUTE], playground=playground, allowed_hosts=hosts)

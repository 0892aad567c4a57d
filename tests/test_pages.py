from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount

from asgi_stream import Resume, StreamApp, StreamMiddleware, StreamRoute, TableError
from asgi_stream.errors import StoreUnavailable
from asgi_stream.stores.memory import MemoryStore

from .asgi import Exchange, call, get, post, tokens
from .models import Scripted, chain_of
from .threads.native_graphs import counts, graph_of

pytestmark = pytest.mark.anyio

CHAT = StreamRoute("/chat", chain_of("Hel", "lo"))


async def state(app: Any, path: str) -> tuple[int, str]:
    answer = await get(app, path)
    return answer.status, json.loads(answer.body)["status"]


class Away(MemoryStore):
    """A store that does not answer, or never."""

    hangs = False

    async def check(self) -> None:
        if self.hangs:
            await asyncio.sleep(60)
        raise StoreUnavailable


async def test_an_app_is_healthy_and_ready_until_it_drains() -> None:
    app = StreamApp([CHAT, StreamRoute("/kept", chain_of("a"), resume=True)])
    assert await state(app, "/health") == (200, "ok")
    assert await state(app, "/ready") == (200, "ok")
    app.drain()
    assert await state(app, "/health") == (503, "draining")
    assert await state(app, "/ready") == (503, "draining")


async def test_while_it_drains_runs_go_on_and_none_begins() -> None:
    go_on = asyncio.Event()

    async def waits(value: str) -> str:
        await go_on.wait()
        return value

    app = StreamApp([StreamRoute("/x", RunnableLambda(waits), resume=True)])
    async with Exchange(
        app, "POST", "/x", "a", headers={"content-type": "application/json"}
    ) as one:
        await one.started()
        place = one.headers["content-location"]
        app.drain()
        refused = await post(app, "/x", "b")
        assert (refused.status, json.loads(refused.body)["error"]["code"]) == (503, "shutdown")
        async with Exchange(app, "GET", f"/{place}") as two:
            go_on.set()
            assert tokens((await one.finished()).body) == ["a"]
            assert tokens((await two.finished()).body) == ["a"]


async def test_after_the_signal_an_app_is_not_ready() -> None:
    app = StreamApp([CHAT])
    await app.aclose()
    assert await state(app, "/ready") == (503, "draining")
    async with app.lifespan():
        assert await state(app, "/ready") == (200, "ok")


@pytest.mark.parametrize("hangs", [False, True])
async def test_an_app_whose_store_does_not_answer_is_healthy_but_not_ready(
    monkeypatch: pytest.MonkeyPatch, hangs: bool
) -> None:
    monkeypatch.setattr("asgi_stream._pages.STORE_SECONDS", 0.05)
    monkeypatch.setattr(Away, "hangs", hangs)
    app = StreamApp([StreamRoute("/x", chain_of("a"), resume=Resume(store=Away()))])
    assert await state(app, "/health") == (200, "ok")
    assert await state(app, "/ready") == (503, "no store")


async def test_pages_can_be_left_out() -> None:
    app = StreamApp([CHAT], health=False)
    assert (await get(app, "/health")).status == 404
    assert (await get(app, "/playground")).status == 404


MANY = [StreamRoute(f"/bots/{n}/{{name:path}}", chain_of("a")) for n in range(10)]
ROUTES = [
    CHAT,
    StreamRoute("/v1", {"a": chain_of("a")}, format="openai"),
    StreamRoute("/kept", chain_of("a"), methods=("GET", "POST"), resume=True),
    *MANY,
]


def not_found(path: str, seen: str = "") -> str:
    return f"There is no route at {seen or path}. Similar routes: "


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("/chta", "POST /chat, "),
        ("/v1/chat/completion", "POST /v1/chat/completions, "),
        ("/chat/completions", "POST /v1/chat/completions, "),
        ("/KEPT/x", "GET, POST /kept, "),
        ("/bots/7", "POST /bots/7/{name}, "),
        ("/" + "x" * 5000, ""),
    ],
)
async def test_a_path_that_is_not_there_is_answered_with_those_near_it(
    path: str, near: str
) -> None:
    answer = await post(StreamApp(ROUTES), path, {})
    message = json.loads(answer.body)["error"]["message"]
    assert answer.status == 404
    seen = f"{path[:131]}...{path[-66:]}" if len(path) > 200 else path
    assert message.startswith(not_found(path, seen) + near)
    assert message.endswith(". All routes are in /openapi.json.")
    assert message.partition("Similar routes: ")[2].count(" /") == 5 + 1
    assert "runs" not in message


async def test_the_paths_near_are_those_that_the_client_can_ask_for() -> None:
    app = Starlette(routes=[Mount("/ai", StreamApp([CHAT], playground=True))])
    answer = await post(app, "/ai/playground/trace/0/nothing", {})
    assert json.loads(answer.body)["error"]["message"] == (
        "There is no route at /ai/playground/trace/0/nothing. Similar routes: POST /ai/chat."
        " All routes are in /ai/openapi.json."
    )


@pytest.mark.parametrize("app", [StreamApp([CHAT], openapi=False), StreamApp([])])
async def test_what_is_not_public_is_not_named(app: StreamApp) -> None:
    answer = await post(app, "/chta", {})
    assert json.loads(answer.body)["error"]["message"] == "There is no route at this path."


async def test_a_method_that_is_not_there_is_answered_with_those_that_are() -> None:
    for path, there in (("/chat", "OPTIONS, POST"), ("/health", "GET, HEAD, OPTIONS")):
        answer = await call(StreamApp([CHAT]), "P" * 30, path)
        assert answer.status == 405
        assert answer.headers["allow"] == there
        message = json.loads(answer.body)["error"]["message"]
        assert message == f"This path does not allow {'P' * 11}...{'P' * 6}; allowed: {there}."


async def test_a_route_goes_before_a_page() -> None:
    app = StreamApp([StreamRoute("/health", chain_of("a"), methods=("GET",))])
    assert tokens((await get(app, "/health?question=x")).body) == ["a"]


async def test_in_front_of_another_app_there_are_no_pages_unless_asked_for() -> None:
    behind = PlainTextResponse("behind")
    quiet = StreamMiddleware(behind, [CHAT])
    assert (await get(quiet, "/health")).body == b"behind"
    assert (await get(quiet, "/openapi.json")).body == b"behind"
    loud = StreamMiddleware(behind, [CHAT], health=True, playground=True)
    assert await state(loud, "/health") == (200, "ok")
    assert (await get(loud, "/playground")).status == 200
    assert (await call(loud, "POST", "/health")).body == b"behind"
    assert (await get(loud, "/client.js")).body == b"behind"


async def test_the_reader_in_javascript_is_served_where_the_table_says_so() -> None:
    assert (await get(StreamApp([CHAT]), "/client.js")).status == 404
    app = Starlette(routes=[Mount("/ai", StreamApp([CHAT], client_js=True))])
    answer = await get(app, "/ai/client.js")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert b"export const stream" in answer.body
    head = await call(app, "HEAD", "/ai/client.js")
    assert head.status == 200
    assert head.headers["content-length"] == str(len(answer.body))
    assert (await post(app, "/ai/client.js", {})).status == 405


async def test_the_page_has_a_strict_policy_and_nothing_inline() -> None:
    app = StreamApp([CHAT], playground=True)
    for path in (
        "/playground",
        "/playground/",
        "/playground/page.js",
        "/playground/playground/page.js",
    ):
        answer = await get(app, path)
        assert answer.status == 200
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
    page = (await get(app, "/playground")).body.decode()
    assert "http" not in page
    assert page.count("<script") == page.count("<script src=") == 2
    assert "style=" not in page
    assert (await get(app, "/playground/__init__.py")).status == 404
    assert (await get(app, "/playground/../app.py")).status == 404


async def test_the_page_is_told_of_the_table() -> None:
    def make(request: Request) -> Any:
        return chain_of("x")

    routes = [
        StreamRoute("/chat", chain_of("a"), configurable=("temperature",), resume=True),
        StreamRoute("/made/{name}", make),
        StreamRoute("/events", chain_of("a"), format="events"),
        StreamRoute("/openai", {"fast": Scripted(script=["a"])}, format="openai"),
    ]
    app = StreamApp(routes, playground=True, title="Mine")
    description = json.loads((await get(app, "/playground/table.json")).body)
    assert description["title"] == "Mine"
    chat, made, events, openai = description["routes"]
    assert chat["traces"]["chat"] == "/playground/trace/0/chat"
    assert chat["resumable"]
    assert chat["configurable"] == {"temperature": {"type": "string"}}
    assert chat["inputs"]["chat"]["required"] == ["question"]
    assert made["inputs"] == {"{name}": {}}
    assert made["traces"]["{name}"] == "/playground/trace/1/made/{name}"
    assert events["traces"] == openai["traces"] == {}
    assert openai["models"] == ["fast"]
    assert openai["converses"]
    assert "trace" not in (await get(app, "/openapi.json")).body.decode()
    assert [route.path for route in app.table] == [route.path for route in routes]


async def test_a_trace_has_the_threads_of_its_route() -> None:
    graphs = {"one": graph_of(counts), "two/2": graph_of(counts)}
    routes = [
        StreamRoute("/chat", graph_of(counts), format="vercel", threads=True),
        StreamRoute("/lg", graphs, format="langgraph", threads=True),
    ]
    app = StreamApp(routes, playground=True, authorize=lambda request: "ann")
    description = json.loads((await get(app, "/playground/table.json")).body)
    chat, lg = description["routes"]
    assert chat["threads"]
    assert lg["traces"] == {
        "one": "/playground/trace/1/lg/one",
        "two/2": "/playground/trace/1/lg/1",
    }
    trace = chat["traces"]["chat"]
    message = {"id": "m", "role": "user", "parts": [{"type": "text", "text": "hi"}]}
    assert (await post(app, "/chat", {"id": "t", "messages": [message]})).status == 200
    answer = await post(app, f"{trace}?thread_id=t", {"messages": [["human", "again"]]})
    assert b"3 so far" in answer.body
    await post(app, f"{trace}?thread_id=u", {"messages": [["human", "new"]]})
    listed = [(await get(app, f"{path}/threads")).json() for path in (trace, "/chat")]
    ids = [
        [each.get("thread_id") or each["id"] for each in threads]
        for threads in (listed[0]["threads"], listed[1]["threads"])
    ]
    assert ids == [["u", "t"], ["u", "t"]]


async def test_a_trace_tells_each_step_and_is_bound_as_its_route_is() -> None:
    seen = []

    def authorize(request: Request) -> str:
        seen.append(request.url.path)
        return "ann"

    route = StreamRoute("/chat", chain_of("a"), authorize=authorize, answer=("x",), resume=True)
    app = StreamApp([route], playground=True)
    answer = await post(app, "/playground/trace/0/chat", {"question": "Hi?"})
    assert b"on_chat_model_stream" in answer.body
    assert b"on_prompt_start" in answer.body
    assert b"Hi?" not in answer.body.split(b"on_prompt_start")[1].split(b"on_prompt_end")[0]
    assert seen == ["/playground/trace/0/chat"]
    assert answer.headers["content-location"].startswith("chat/runs/")
    assert (await get(app, "/playground/trace/0/nothing")).status == 404
    assert (await get(StreamApp([route]), "/playground/trace/0/chat")).status == 404


async def test_a_route_of_everything_leaves_the_traces_alone() -> None:
    app = StreamApp([StreamRoute("/{rest:path}", chain_of("a"))], playground=True)
    answer = await post(app, "/playground/trace/0/x", {"question": "Hi?"})
    assert b"on_chat_model_stream" in answer.body
    assert tokens((await post(app, "/x", {"question": "Hi?"})).body) == ["a"]


async def test_a_store_that_breaks_is_not_ready() -> None:
    class Breaks(MemoryStore):
        async def check(self) -> None:
            raise RuntimeError("a bug")

    app = StreamApp([StreamRoute("/x", chain_of("a"), resume=Resume(store=Breaks()))])
    assert await state(app, "/ready") == (503, "no store")


@pytest.mark.parametrize(
    ("option", "path"), [("playground", "/playground"), ("client_js", "/client.js")]
)
def test_a_page_where_a_route_is_cannot_be(option: Any, path: str) -> None:
    options: Any = {option: True}
    with pytest.raises(TableError, match=f"{option}: the table already has a route at '{path}'"):
        StreamApp([StreamRoute("/{name}", chain_of("a"), methods=("GET",))], **options)

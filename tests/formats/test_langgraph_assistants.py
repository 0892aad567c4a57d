"""What LangGraph's SDKs ask about the graphs of a route, and what they ask for in vain."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from typing_extensions import TypedDict

from asgi_stream import StreamApp, StreamMiddleware, StreamRoute

from ..asgi import call, get, post
from .langgraph_app import app_of, graphs

pytestmark = pytest.mark.anyio

NESTED = "/lg/assistants/nested"


class Context(TypedDict):
    tone: str


@pytest.fixture
def app() -> StreamApp:
    return app_of()


async def answer(app: Any, path: str, status: int = 200) -> Any:
    exchange = await get(app, path)
    assert exchange.status == status, exchange.body
    return exchange.json()


async def test_a_graph_is_drawn_without_what_only_its_code_needs_to_know(app: StreamApp) -> None:
    drawn = await answer(app, f"{NESTED}/graph")
    assert {"id": "inner", "type": "runnable", "data": {"name": "inner"}} in drawn["nodes"]
    assert {"id": "__end__"} in drawn["nodes"]
    assert {"source": "__start__", "target": "inner"} in drawn["edges"]
    for xray in ("true", "1", "True"):
        names = [each["id"] for each in (await answer(app, f"{NESTED}/graph?xray={xray}"))["nodes"]]
        assert "inner:ask" in names
    assert (await answer(app, f"{NESTED}/graph?xray=false")) == drawn
    assistant = await answer(app, NESTED)
    assert (await answer(app, f"/lg/assistants/{assistant['assistant_id']}/graph")) == drawn


async def test_a_drawing_has_the_breakpoints_of_a_graph_and_no_other_metadata() -> None:
    built: Any = StateGraph(MessagesState)
    built.add_node("step", lambda _: {}, metadata={"secret": 1}).add_edge(START, "step")
    graph = built.compile(checkpointer=InMemorySaver(), interrupt_before=["step"])
    app = StreamApp([StreamRoute("/lg", graph, format="langgraph", threads=True)])
    drawn = await answer(app, "/lg/assistants/lg/graph")
    [step] = [each for each in drawn["nodes"] if each["id"] == "step"]
    assert step["metadata"] == {"__interrupt": "before"}


async def test_the_schemas_of_a_graph_have_no_private_state(app: StreamApp) -> None:
    schemas = await answer(app, "/lg/assistants/ask/schemas")
    assert schemas["graph_id"] == "ask"
    for name in ("input_schema", "output_schema", "state_schema"):
        assert {"question", "log"} == {*schemas[name]["properties"]}, name
    assert schemas["context_schema"] == {}


async def test_the_schemas_of_a_graph_have_its_context() -> None:
    built: Any = StateGraph(MessagesState, context_schema=Context)
    built.add_node("step", lambda _: {}).add_edge(START, "step")
    app = StreamApp([StreamRoute("/lg", built.compile(), format="langgraph")])
    schemas = await answer(app, "/lg/assistants/lg/schemas")
    assert schemas["context_schema"]["properties"]["tone"]["type"] == "string"
    assert "messages" in schemas["input_schema"]["properties"]


async def test_the_subgraphs_of_a_graph_have_schemas(app: StreamApp) -> None:
    subgraphs = await answer(app, f"{NESTED}/subgraphs?recurse=true")
    assert {*subgraphs["inner"]["output_schema"]["properties"]} == {"question", "log"}
    assert await answer(app, f"{NESTED}/subgraphs/inner") == subgraphs
    missing = await answer(app, f"{NESTED}/subgraphs/outer", 404)
    assert missing["detail"] == "The graph has no such subgraph."
    assert await answer(app, "/lg/assistants/chat/subgraphs") == {}


async def test_a_graph_has_one_version(app: StreamApp) -> None:
    [version] = (await post(app, f"{NESTED}/versions", {})).json()
    assert (version["version"], version["graph_id"]) == (1, "nested")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/lg/assistants/nobody/graph", 404),
        ("/lg/assistants/nobody/schemas", 404),
        ("/lg/assistants/nobody/subgraphs", 404),
        ("/lg/assistants/nested/graph?xray=perhaps", 422),
        ("/lg/assistants/nested/graph?xray=true&xray=false", 422),
        ("/lg/assistants/nested/subgraphs?recurse=2", 422),
    ],
)
async def test_a_request_about_a_graph_that_cannot_be(
    app: StreamApp, path: str, status: int
) -> None:
    await answer(app, path, status)


async def test_graphs_are_shown_to_those_who_may_use_the_route_only() -> None:
    def nobody(_: Any) -> str:
        raise PermissionError

    app = app_of(authorize=nobody)
    for path in ("", "/graph", "/schemas", "/subgraphs"):
        assert (await get(app, f"{NESTED}{path}")).status == 500


@pytest.mark.parametrize(
    ("method", "path", "why"),
    [
        ("POST", "/assistants", "cannot be created"),
        ("PATCH", "/assistants/x", "cannot be created, changed"),
        ("DELETE", "/assistants/x", "or deleted"),
        ("POST", "/assistants/x/latest", "are the graphs of this route"),
        ("POST", "/runs/crons", "no crons"),
        ("POST", "/runs/crons/search", "no crons"),
        ("DELETE", "/runs/crons/x", "no crons"),
        ("POST", "/threads/t/runs/crons", "no crons"),
        ("PUT", "/store/items", "store"),
        ("POST", "/store/namespaces", "store"),
        ("POST", "/runs", "needs a thread"),
        ("POST", "/runs/batch", "one run for each request"),
        ("POST", "/runs/cancel", "one by one"),
        ("GET", "/threads/t/stream", "Join a run"),
    ],
)
async def test_what_is_not_offered_is_refused_by_name(
    app: StreamApp, method: str, path: str, why: str
) -> None:
    exchange = await call(app, method, f"/lg{path}")
    assert exchange.status == 404
    error = exchange.json()["error"]
    assert error["code"] == "not_offered"
    assert why in error["message"]


async def test_a_route_without_threads_says_so() -> None:
    graph = StateGraph(MessagesState).add_node("step", lambda _: {}).add_edge(START, "step")
    app = StreamApp([StreamRoute("/lg", graph.compile(), format="langgraph")])
    for path in ("/lg/threads", "/lg/threads/t/runs/stream"):
        error = (await post(app, path, {})).json()["error"]
        assert error["message"] == "This route keeps no threads."


async def test_another_route_may_serve_what_one_does_not_offer() -> None:
    other = StreamRoute("/lg/store/items", RunnableLambda(lambda _: "x"), methods=["POST", "GET"])
    route = StreamRoute("/lg", graphs(), format="langgraph", threads=True)
    app = StreamApp([route, other])
    assert (await get(app, "/lg/store/items?input=1")).status == 200
    behind = StreamMiddleware(app, [route])
    assert (await get(behind, "/lg/store/items?input=1")).status == 200

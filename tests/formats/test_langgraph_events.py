"""The stream mode ``events`` of the format ``langgraph``: LangChain's events beside the others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.callbacks import adispatch_custom_event
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from asgi_stream import EventFilter, StreamApp, StreamRoute
from asgi_stream.events import LangChainEvent, OutputChunk, Step
from asgi_stream.formats import FormatRequest
from asgi_stream.formats.langgraph import LangGraphFormat

from ..asgi import Exchange, post
from .langgraph_app import Echo, app_of, chat_graph, said
from .script import RUN, wire

pytestmark = pytest.mark.anyio

KEYS = {"event", "name", "run_id", "parent_ids", "tags", "metadata", "data"}
QUESTION = {"question": "Shall I?", "log": []}
CHAT = [
    "on_chain_start LangGraph",
    "values",
    "on_chain_start reply",
    "on_chat_model_start Echo",
    *3 * ["on_chat_model_stream Echo"],
    "on_chat_model_end Echo",
    "on_chain_stream reply",
    "on_chain_end reply",
    "values",
    "on_chain_end LangGraph",
    "end",
]


def frames(exchange: Exchange) -> list[tuple[str, Any]]:
    assert exchange.status == 200, exchange.body
    blocks = (block.split("\n") for block in exchange.body.decode().split("\n\n")[:-1])
    return [
        (lines[-2].removeprefix("event: "), json.loads(lines[-1].removeprefix("data: ")))
        for lines in blocks
    ]


def seen(exchange: Exchange) -> list[str]:
    """The frames after the first: their names, or what the events are and of which steps."""
    return [
        f"{value['event']} {value['name']}" if name == "events" else name
        for name, value in frames(exchange)[1:]
    ]


def events_of(exchange: Exchange) -> list[Any]:
    return [value for name, value in frames(exchange) if name == "events"]


async def run(
    app: StreamApp,
    modes: str | Sequence[str] = "events",
    assistant: str = "chat",
    path: str = "/lg/runs/stream",
    **more: Any,
) -> Exchange:
    body = {"assistant_id": assistant, "input": said("a"), "stream_mode": modes, **more}
    return await post(app, path, body)


def stateless(graph: Any, **options: Any) -> StreamApp:
    return StreamApp([StreamRoute("/lg", {"chat": graph}, format="langgraph", **options)])


@pytest.mark.parametrize("threads", [True, False])
async def test_events_come_between_the_frames_of_the_other_modes(threads: bool) -> None:
    app = app_of() if threads else stateless(chat_graph(Echo(), None))
    exchange = await run(app, ["values", "events"])
    assert seen(exchange) == CHAT
    assert all(event.keys() == KEYS for event in events_of(exchange))
    run_id = frames(exchange)[0][1]["run_id"]
    root, _, model, token, *_ = events_of(exchange)
    assert (root["run_id"], root["parent_ids"]) == (run_id, [])
    assert root["data"]["input"]["messages"][0]["content"] == "a"
    assert model["parent_ids"][0] == run_id
    assert model["metadata"]["langgraph_node"] == "reply"
    assert token["data"]["chunk"]["content"] == "1 "
    assert events_of(exchange)[-1]["data"]["output"]["messages"][-1]["content"] == "1 a"


async def test_events_alone_are_all_that_is_sent() -> None:
    app = app_of()
    assert seen(await run(app)) == [each for each in CHAT if each != "values"]
    exchange = await run(app, assistant="ask", input=QUESTION)
    *_, (name, values), end = frames(exchange)
    assert (name, values["__interrupt__"][0]["value"]) == ("values", {"question": "Shall I?"})
    assert end == ("end", None)


async def test_a_run_that_does_not_ask_for_events_has_none() -> None:
    app = app_of()
    assert seen(await run(app, "values")) == ["values", "values", "end"]
    answer = await run(app, "events", path="/lg/runs/wait")
    assert answer.json()["messages"][-1]["content"] == "1 a"
    for modes in ("values", ["updates", "messages"], "events"):
        format = LangGraphFormat()
        body = {"assistant_id": "x", "input": 1, "stream_mode": modes}
        format.parse(FormatRequest(endpoint="/runs/stream", body=body, models=("x",)))
        assert (LangChainEvent in format.wants) == (modes == "events")


async def test_a_thread_goes_on_with_events() -> None:
    app = app_of()
    path = "/lg/threads/t1/runs/stream"
    more: Any = {"if_not_exists": "create", "stream_subgraphs": True}
    modes = ["events", "updates", "debug"]
    exchange = await run(app, modes, "nested", path, input=QUESTION, **more)
    assert {name.partition("|")[0] for name, _ in frames(exchange)} == {"metadata", *modes, "end"}
    resume = {"command": {"resume": "yes"}}
    exchange = await run(app, ["events", "values"], "nested", path, **resume)
    assert frames(exchange)[-3][1]["log"] == ["prepared", "answered yes", "concluded"]
    for text in ("thread_owner", "~"):  # which internal ids begin with
        assert text not in exchange.body.decode()
    assert {event["metadata"].get("thread_id", "t1") for event in events_of(exchange)} == {"t1"}


async def test_events_do_not_show_the_private_fields_of_a_state() -> None:
    for assistant in ("ask", "nested", "fails"):
        modes = ["events", "values"]
        exchange = await run(app_of(), modes, assistant, input=QUESTION, stream_subgraphs=True)
        assert "secret" not in exchange.body.decode()
        if assistant != "fails":
            outputs = [each["data"].get("output") for each in events_of(exchange)]
            assert {"log": ["prepared"]} in outputs


async def look(state: MessagesState, config: RunnableConfig) -> Any:
    prompt = ChatPromptTemplate.from_messages([("system", "the password is 123"), ("human", "?")])
    step: RunnableLambda[int, int] = RunnableLambda(lambda _: 1)
    hidden = step.with_config(run_name="unseen", tags=["langsmith:hidden"])
    await hidden.ainvoke(1)
    await adispatch_custom_event("looked", "Paris")
    return {"messages": [await (prompt | Echo()).ainvoke({}, config)]}


def looking(**options: Any) -> StreamApp:
    built: Any = StateGraph(MessagesState).add_node("look", look).add_edge(START, "look")
    config = {"metadata": {"customer": "whose"}, "configurable": {"key": "mykey"}}
    graph = built.compile(checkpointer=InMemorySaver())
    return stateless(graph, threads=True, config=config, **options)


async def test_prompts_inner_inputs_and_the_server_s_metadata_are_not_sent() -> None:
    exchange = await run(looking())
    for text in ("password", "customer", "whose", "mykey", "unseen"):
        assert text not in exchange.body.decode()
    [custom] = [each for each in events_of(exchange) if each["event"] == "on_custom_event"]
    assert (custom["name"], custom["data"]) == ("looked", "Paris")
    assert "on_prompt_end" in {each["event"] for each in events_of(exchange)}
    exchange = await run(looking(filter=EventFilter(inputs=True)))
    assert "password" in exchange.body.decode()


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        (EventFilter(include=("on_custom_*",)), {"on_custom_event"}),
        (EventFilter(types=("prompt",)), {"on_prompt_start", "on_prompt_end"}),
        (EventFilter(exclude=("*",)), set()),
        (EventFilter(exclude=("*",), inputs=True), set()),
    ],
)
async def test_the_route_s_filter_concerns_the_events_only(
    filter: EventFilter, expected: set[str]
) -> None:
    app = looking(filter=filter)
    exchange = await run(app, ["values", "events", "messages-tuple"])
    assert {each["event"] for each in events_of(exchange)} == expected
    assert seen(exchange).count("values") == 2
    assert seen(exchange).count("messages") == 3
    assert seen(await run(app, "values")) == ["values", "values", "end"]


async def test_a_client_may_narrow_the_events() -> None:
    path = "/lg/runs/stream?include=on_custom_*"
    exchange = await run(looking(), ["values", "events"], path=path)
    assert seen(exchange) == ["values", "on_custom_event looked", "values", "end"]


def test_an_event_is_one_frame() -> None:
    format = LangGraphFormat()
    step = Step("r", "Tool\r\nevent: forged", "tool", ["a"])
    event = LangChainEvent(step, "on_tool_end", {"output": "x"}, {"ls_x": 1, "mine": 2}, ["p"])
    assert wire(format, event, OutputChunk(RUN, 1, "custom")) == (
        'event: events\ndata: {"event":"on_tool_end","name":"Tool\\r\\nevent: forged","run_id":"r",'
        '"parent_ids":["p"],"tags":["a"],"metadata":{"ls_x":1},"data":{"output":"x"}}\n\n'
        "event: custom\ndata: 1\n\n"
    )

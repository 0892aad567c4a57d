"""Which Runnables take the tools of a client, and what becomes of the calls of these."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from importlib import import_module
from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import ConfigurableField, RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode
from typing_extensions import TypedDict

from asgi_stream import StreamApp, StreamRoute

from ..asgi import frames, post
from ..models import Scripted, chain_of
from ..request.test_prepare import ADD, Calls

pytestmark = pytest.mark.anyio

SAID = [{"id": "1", "role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    "runnable", [chain_of("a"), Scripted(script=["a"]), Calls(script=["a"]).bind_tools([ADD])]
)
async def test_what_cannot_take_a_client_s_tools_runs_without_them_and_the_log_says_so_once(
    runnable: Any, caplog: pytest.LogCaptureFixture
) -> None:
    app = StreamApp([StreamRoute("/x", {"a": runnable, "b": runnable}, format="openai")])
    body = {"messages": [{"role": "user", "content": "Hi"}], "tools": [ADD]}
    for model in ("a", "b", "a", "b"):
        response = await post(app, "/x/chat/completions", {**body, "model": model})
        assert json.loads(response.body)["choices"][0]["message"]["content"] == "a"
    warned = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert len(warned) == 2
    name = runnable.get_name()
    assert warned[0].startswith(f"route /x: {name} does not support client tools (add)")
    forced = await post(
        app, "/x/chat/completions", {**body, "model": "a", "tool_choice": "required"}
    )
    assert forced.status == 400


class Kit(TypedDict):
    """CopilotKit's part of a state, of which it fills a field later."""

    actions: list[Any]
    intercepted_tool_calls: Any


def state_of(**fields: Any) -> Any:
    return TypedDict("State", {"messages": Annotated[list[AnyMessage], add_messages], **fields})  # type: ignore[operator]


class Odd:
    """A type of which pydantic knows nothing."""


PLAIN = {"name": "add", "description": "", "parameters": {"type": "object", "properties": {}}}
KIT = {"copilotkit": {"context": [], "actions": [PLAIN]}}


@pytest.mark.parametrize(
    ("fields", "state", "taken"),
    [
        ({"tools": list[Any]}, {}, {"tools": [PLAIN]}),
        ({"tools": Annotated[list[dict[str, Any]], list.__add__]}, {}, {"tools": [PLAIN]}),
        ({"copilotkit": Kit}, {}, KIT),
        ({"copilotkit": dict[str, Any], "tools": str}, {"tools": "old"}, {**KIT, "tools": "old"}),
        (
            {"copilotkit": Kit, "ag-ui": Any},
            {"copilotkit": {"actions": ["stale"], "context": [1]}, "ag-ui": 1, "other": 2},
            {
                "copilotkit": {"actions": [PLAIN], "context": [1]},
                "ag-ui": {"context": [], "tools": [PLAIN]},
            },
        ),
        ({"tools": Odd}, {}, {"tools": [PLAIN]}),
        ({"tools": list[str], "note": str}, {"note": "x"}, {"note": "x"}),
        ({}, {"note": "x"}, {}),
    ],
)
async def test_a_graph_has_its_client_s_tools_in_its_state(
    fields: Any, state: Any, taken: Any
) -> None:
    seen: list[Any] = []

    def node(state: Any) -> Any:
        seen.append({name: value for name, value in state.items() if name != "messages"})

    schema = state_of(**fields)
    graph: Any = StateGraph(schema).add_node("node", node).add_edge(START, "node").compile()
    app = StreamApp([StreamRoute("/x", graph, format="agui")])
    body = {"threadId": "t", "runId": "r", "messages": SAID, "state": state}
    response = await post(app, "/x", {**body, "tools": [{"name": "add"}]})
    assert response.status == 200, response.body
    assert seen == [taken]


async def test_a_graph_that_relies_on_its_client_s_tools_has_none_of_them_too() -> None:
    seen: list[Any] = []

    def node(state: Any) -> Any:
        seen.append((state.get("tools"), state["ag-ui"]["tools"]))

    schema = state_of(**{"tools": list[Any], "ag-ui": dict[str, Any]})
    graph: Any = StateGraph(schema).add_node("node", node).add_edge(START, "node").compile()
    routes = [StreamRoute("/x", graph, format="agui"), StreamRoute("/v1", graph, format="openai")]
    body = {"threadId": "t", "runId": "r", "messages": SAID, "tools": []}
    assert (await post(StreamApp(routes), "/x", body)).status == 200
    body = {"model": "v1", "messages": SAID}
    for more in ({"tools": [ADD]}, {"tools": [ADD], "tool_choice": "none"}, {}):
        answer = await post(StreamApp(routes), "/v1/chat/completions", {**body, **more})
        assert answer.status == 200
    tools = [{**PLAIN, "parameters": {"type": "object"}}]
    assert seen == [([], []), (tools, tools), ([], []), (None, [])]


async def test_a_conversation_of_the_route_s_own_leaves_no_place_for_tools() -> None:
    graph: Any = StateGraph(state_of(tools=list[Any]))
    graph = graph.add_node("node", lambda state: None).add_edge(START, "node").compile()
    made = StreamRoute(
        "/x", graph, format="agui", conversation=lambda messages: {"messages": messages}
    )
    body = {"threadId": "t", "runId": "r", "messages": SAID, "tools": [PLAIN]}
    assert (await post(StreamApp([made]), "/x", body)).status == 200


CALLS = AIMessageChunk(
    content="",
    tool_call_chunks=[
        tool_call_chunk(name="add", args='{"a": 1}', id="c1", index=0),
        tool_call_chunk(name="look", args="{}", id="c2", index=1),
    ],
)


@tool
def add(a: int) -> str:
    """Adds."""
    return f"{a} here"


@tool
def look() -> str:
    """Looks."""
    return "seen"


def says_no(state: Any) -> Any:
    return {"messages": [ToolMessage("There is no tool add.", tool_call_id="c1", status="error")]}


async def answers_of(tools: Any, fields: dict[str, Any]) -> tuple[list[Any], dict[str, str]]:
    """The calls that the client has to answer, and the results of the others."""
    model = Scripted(script=[CALLS])

    async def node(state: Any) -> Any:
        return {"messages": [await model.ainvoke(state["messages"])]}

    built: Any = StateGraph(state_of(**fields)).add_node("node", node).add_edge(START, "node")
    if tools is not None:
        built.add_node("tools", tools).add_edge("node", "tools").add_edge("tools", END)
    app = StreamApp([StreamRoute("/x", built.compile(), format="agui")])
    body = {"threadId": "t", "runId": "r", "messages": SAID, "protocolVersion": "1.0"}
    response = await post(app, "/x", {**body, "context": [], "tools": [{"name": "add"}]})
    events = frames(response.body)
    kinds = [event["type"] for event in events]
    assert kinds.count("TOOL_CALL_START") == kinds.count("TOOL_CALL_END") == 2
    results = {e["toolCallId"]: e["content"] for e in events if e["type"] == "TOOL_CALL_RESULT"}
    assert events[-1]["outcome"]["type"] == "success"
    return events[-1]["outcome"].get("pendingToolCallIds", []), results


NOT_RUN = "The tool failed."


@pytest.mark.parametrize(
    ("tools", "fields", "pending", "results"),
    [
        # What the client runs is left to it; what nobody runs is settled.
        (None, {"tools": list[Any]}, ["c1"], {"c2": NOT_RUN}),
        # What a graph says instead is no answer.
        (says_no, {"tools": list[Any]}, ["c1"], {"c2": NOT_RUN}),
        (ToolNode([look]), {"tools": list[Any]}, ["c1"], {"c2": "seen"}),
        # Of two tools with one name the graph's own has answered.
        (ToolNode([add, look]), {"tools": list[Any]}, [], {"c1": "1 here", "c2": "seen"}),
        # A graph that has not had the tools cannot mean the client's.
        (None, {}, [], {"c1": NOT_RUN, "c2": NOT_RUN}),
        (None, {"context": list[Any]}, [], {"c1": NOT_RUN, "c2": NOT_RUN}),
    ],
)
async def test_a_call_of_a_client_s_tool_is_left_to_the_client(
    tools: Any, fields: Any, pending: Any, results: Any
) -> None:
    assert await answers_of(tools, fields) == (pending, results)


class CallsOnce(Scripted):
    """Calls its tools, then repeats their results."""

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self

    async def _astream(self, messages: Any, *_: Any, **__: Any) -> Any:
        results = [f"{each.tool_call_id} {each.text}" for each in messages if each.type == "tool"]
        script = [", ".join(results)] if results else self.script
        async for each in Scripted(script=script)._astream():
            yield each


@pytest.mark.parametrize("names", [("add",), ("add", "look"), ("look", "add"), ("look",)])
async def test_the_agent_of_the_example_runs_its_own_tools_beside_those_of_the_page(
    names: tuple[str, ...],
) -> None:
    made = [
        tool_call_chunk(name=name, args='{"a": 1}', id=name, index=n)
        for n, name in enumerate(names)
    ]
    model = CallsOnce(script=[AIMessageChunk(content="", tool_call_chunks=made)])
    middleware = import_module("examples.19_page_tools").PageTools()
    agent = create_agent(model, [look], middleware=[middleware], checkpointer=InMemorySaver())
    app = StreamApp([StreamRoute("/x", agent, format="agui", threads=True)])
    body: Any = {"threadId": "t", "runId": "r", "protocolVersion": "1.0", "tools": [PLAIN]}

    async def events_of(messages: list[Any]) -> list[Any]:
        return frames((await post(app, "/x", {**body, "messages": messages})).body)

    events = await events_of(SAID)
    *_, state, shown, end = events
    pending = ["add"] if "add" in names else []
    assert end["outcome"].get("pendingToolCallIds", []) == pending
    own = [each["toolCallId"] for each in events if each["type"] == "TOOL_CALL_RESULT"]
    assert own == [name for name in names if name == "look"]
    assert state["snapshot"].keys() == {"tools"}
    if pending:
        assert [each["id"] for each in shown["messages"][1]["toolCalls"]] == [*names]
        result = {"id": "2", "role": "tool", "toolCallId": "add", "content": "2"}
        events = await events_of([*shown["messages"], result])
    words = [each["delta"] for each in events if each["type"] == "TEXT_MESSAGE_CONTENT"]
    assert words == [
        ", ".join([*(f"{each} seen" for each in own), *(["add 2"] if pending else [])])
    ]


async def node_of_calls(state: Any) -> Any:
    return {"messages": [await CALLING.ainvoke(state["messages"])]}


CALLING = Scripted(script=[CALLS]).with_config(run_name="calling")
GRAPH: Any = (
    StateGraph(state_of()).add_node("node", node_of_calls).add_edge(START, "node").compile()
)


@pytest.mark.parametrize("runnable", [Scripted(script=[CALLS]), GRAPH])
async def test_a_call_has_an_id_that_no_call_of_the_conversation_has(runnable: Any) -> None:
    """A client holds a call whose id it knows for one that it has seen."""
    app = StreamApp([StreamRoute("/x", runnable, format="agui")])
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    before = [
        *SAID,
        {"id": "2", "role": "assistant", "toolCalls": [call, {**call, "id": "c1-2"}]},
        {"id": "3", "role": "tool", "toolCallId": "c1", "content": "1"},
        {"id": "4", "role": "tool", "toolCallId": "c1-2", "content": "1"},
        {"id": "5", "role": "user", "content": "Again."},
    ]
    response = await post(app, "/x", {"threadId": "t", "runId": "r", "messages": before})
    events = frames(response.body)
    begun = [event["toolCallId"] for event in events if event["type"] == "TOOL_CALL_START"]
    assert begun == ["c1-3", "c2"]


PROMPT = ChatPromptTemplate([("system", "Be brief."), MessagesPlaceholder("messages")])
WORDS = ChatPromptTemplate.from_template("{question}")


class Named(Calls):
    """Says the names of the tools that it has."""

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        names = [tool["function"]["name"] for tool in kwargs.get("tools", ())]
        yield ChatGenerationChunk(message=AIMessageChunk(content=f"I have {names}."))


class Broken(Calls):
    """Has no answer."""

    async def _astream(self, *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
        raise ValueError
        yield


NAMED = Named(script=[])


@pytest.mark.parametrize(
    ("runnable", "text"),
    [
        (PROMPT | NAMED, "I have ['add']."),
        (PROMPT | NAMED | StrOutputParser(), "I have ['add']."),
        (PROMPT | NAMED.bind(stop=["."]), "I have ['add']."),
        (NAMED.with_retry(), "I have ['add']."),
        (NAMED.with_fallbacks([NAMED]), "I have ['add']."),
        (Broken(script=[]).with_fallbacks([NAMED.with_retry()]), "I have ['add']."),
        (NAMED.with_retry().with_config(tags=["x"]).bind(stop=["."]), "I have ['add']."),
        (NAMED.configurable_fields(script=ConfigurableField("script")), "I have ['add']."),
        (PROMPT | NAMED.with_retry() | StrOutputParser(), "I have ['add']."),
        ((PROMPT | NAMED).with_retry().with_config(tags=["x"]), "I have ['add']."),
        ((PROMPT | Broken(script=[])).with_fallbacks([PROMPT | NAMED]), "I have ['add']."),
        (NAMED.with_fallbacks([RunnableLambda(lambda text: AIMessage("Sorry."))]), "I have []."),
        # With tools of its own it has none of the client's.
        (NAMED.bind(tools=[{"function": {"name": "own"}}]).with_retry(), "I have ['own']."),
        # A prompt of the user's last words has no place for what the client's tool answers.
        (WORDS | NAMED, "I have []."),
        (PROMPT | Scripted(script=["a"]) | StrOutputParser(), "a"),
    ],
)
async def test_a_model_has_the_client_s_tools_behind_a_prompt_and_within_wrappers(
    runnable: Any, text: str
) -> None:
    app = StreamApp([StreamRoute("/x", runnable, format="openai")])
    body = {"model": "x", "messages": SAID, "tools": [ADD]}
    answer = json.loads((await post(app, "/x/chat/completions", body)).body)
    assert answer["choices"][0]["message"]["content"] == text


@pytest.mark.parametrize("conversation", [None, lambda messages: {"messages": messages}])
async def test_a_chain_whose_input_the_route_makes_has_no_tools(conversation: Any) -> None:
    several = ChatPromptTemplate([MessagesPlaceholder("a"), MessagesPlaceholder("b")])
    chain: Any = PROMPT | NAMED if conversation else several | NAMED
    route = StreamRoute("/x", lambda request: chain, format="openai", conversation=conversation)
    body = {"model": "x", "messages": SAID, "tools": [ADD]}
    answer = await post(StreamApp([route]), "/x/chat/completions", body)
    if conversation is None:
        assert answer.status == 422
    else:
        assert "I have []." in answer.body.decode()

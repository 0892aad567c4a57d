"""Events of graphs: data that their code writes, interrupts, and which state is public."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Annotated, Any, NotRequired, TypedDict

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain.agents.middleware.types import AgentState, PrivateStateAttr
from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.func import entrypoint
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import RetryPolicy, interrupt

from asgi_stream import Limits, StreamApp, StreamRoute
from asgi_stream._langchain.callbacks.event_handler import EventHandler
from asgi_stream._langchain.callbacks.pacing import Pacer
from asgi_stream._langchain.chunk_reader import only
from asgi_stream.events import (
    ALL_EVENTS,
    Custom,
    Event,
    LangChainEvent,
    OutputChunk,
    RunFinished,
    TextDelta,
    TextDiscarded,
    ToolCalled,
    ToolFinished,
)
from asgi_stream.formats._gathered import Gathered
from asgi_stream.serialize import to_json

from ..asgi import JSON, Exchange, frames, post
from ..corpus import Recording, record
from ..models import InThread, Scripted
from .handlers import callbacks_for
from .test_agents import HI, Turns, piece, words

pytestmark = pytest.mark.anyio

SPEAKS = Scripted(script=["Hel", "lo."])


def graph_of(*nodes: Callable[..., Any], **options: Any) -> Any:
    graph = StateGraph(MessagesState)
    graph.add_sequence(nodes)
    graph.add_edge(START, nodes[0].__name__)
    return graph.compile(**options)


def seen(events: list[Event]) -> list[Any]:
    """Return what was written and streamed, and which models and tools ran, in order."""
    items: list[Any] = []
    for event in events:
        match event:
            case Custom(data=data):
                items.append(data)
            case TextDelta(text=text):
                items.append(text)
            case ToolCalled():
                items.append("called")
            case ToolFinished():
                items.append("answered")
    return items


# Data written to the stream writer.


async def says(state: MessagesState) -> Any:
    write = get_stream_writer()
    write("before")
    message = await SPEAKS.ainvoke("x")
    write("after")
    return {"messages": [message]}


def says_in_a_thread(state: MessagesState) -> Any:
    write = get_stream_writer()
    write("before")
    message = InThread(script=["Hel", "lo."]).invoke("x")
    write("after")
    return {"messages": [message]}


@tool
async def work(city: str = "") -> str:
    """Works."""
    write = get_stream_writer()
    write("start")
    write("end")
    return "done"


@tool
def work_in_a_thread(city: str = "") -> str:
    """Works."""
    write = get_stream_writer()
    time.sleep(0.01)
    write("start")
    time.sleep(0.01)
    write("end")
    return "done"


@tool
async def delegate(city: str = "") -> str:
    """Lets another graph work."""
    state = await graph_of(says).ainvoke(HI)
    return str(state["messages"][-1].content)


def agent_of(used: Any, name: str | None = None) -> Any:
    turns = [[piece("c1", used.name, "{}")], words("Done.")]
    return create_agent(Turns(turns=turns), tools=[used], name=name)


WRITERS: dict[str, tuple[Any, list[Any]]] = {
    "a node": (graph_of(says), ["before", "Hel", "lo.", "after"]),
    "a node in a thread": (graph_of(says_in_a_thread), ["before", "Hel", "lo.", "after"]),
    "a tool": (agent_of(work), ["called", "start", "end", "answered", "Done."]),
    "a tool in a thread": (
        agent_of(work_in_a_thread),
        ["called", "start", "end", "answered", "Done."],
    ),
    "a graph in a tool": (
        agent_of(delegate),
        ["called", "before", "Hel", "lo.", "after", "answered", "Done."],
    ),
    "a graph in a graph": (
        StateGraph(MessagesState)
        .add_node("inner", graph_of(says))
        .add_edge(START, "inner")
        .compile(),
        ["before", "Hel", "lo.", "after"],
    ),
}


@pytest.mark.parametrize("where", WRITERS)
@pytest.mark.parametrize("modes", [None, "custom", ["values"], ["custom", "updates"]])
async def test_data_is_emitted_in_the_order_in_which_it_is_written(where: str, modes: Any) -> None:
    runnable, wanted = WRITERS[where]
    events = await record(runnable, HI, ALL_EVENTS, {"stream_mode": modes} if modes else None)
    assert seen(events) == wanted


async def test_data_that_a_graph_in_a_chain_writes_is_emitted() -> None:
    chain: Any = RunnableLambda(lambda state: state) | graph_of(says)
    assert seen(await record(chain, HI, ALL_EVENTS)) == ["before", "Hel", "lo.", "after"]


async def test_a_thread_that_writes_faster_than_it_is_read_waits() -> None:
    def writes(state: MessagesState) -> None:
        write = get_stream_writer()
        for number in range(300):
            write(number)

    assert seen(await record(graph_of(writes), HI, ALL_EVENTS)) == list(range(300))


async def test_a_writer_s_node_is_known() -> None:
    [before, after] = [
        event.step
        for event in await record(graph_of(says), HI, ALL_EVENTS)
        if isinstance(event, Custom)
    ]
    assert (before.name, before.type, before.node) == ("LangGraph", "chain", "says")
    assert after == before


async def test_once_a_run_is_cancelled_its_clean_up_may_write_and_its_threads_stop() -> None:
    sink = Recording(ALL_EVENTS)
    callbacks, tracker = callbacks_for(sink, EventHandler)
    callbacks.write("before")
    tracker.refusing = True
    callbacks.write("in the clean-up")
    with pytest.raises(asyncio.CancelledError):
        await asyncio.to_thread(callbacks.write, "in a thread")
    assert seen(sink.events) == ["before"]


def floods(state: MessagesState) -> None:
    write = get_stream_writer()
    for number in range(2000):
        write(f"{number:0100}")


async def floods_on_the_loop(state: MessagesState) -> None:
    floods(state)


async def dispatches(state: MessagesState) -> None:
    for number in range(2000):
        made.append(number)
        await adispatch_custom_event("custom", f"{number:0100}")


made: list[int] = []


@pytest.mark.parametrize("node", [floods, floods_on_the_loop, dispatches])
async def test_a_slow_reader_loses_nothing_of_what_is_written(node: Any) -> None:
    limits = Limits(buffer=20_000)
    app = StreamApp([StreamRoute("/", graph_of(node, says), format="vercel", limits=limits)])
    body = {"messages": [{"id": "1", "role": "user", "parts": [{"type": "text", "text": "?"}]}]}
    made.clear()
    async with Exchange(app, "POST", "/", body, headers=JSON, stalled=True) as exchange:
        await asyncio.sleep(0.2)
        assert len(made) < 1000  # it waits
        exchange.resume()
        await exchange.finished()
    *parts, finish, done = frames(exchange.body)
    assert (finish["type"], done) == ("finish", "[DONE]")
    written = [part["data"] for part in parts if part["type"] == "data-custom"]
    assert written[:2000] == [f"{number:0100}" for number in range(2000)]
    assert written[2000:] == ["before", "after"]


async def test_a_sync_event_from_the_loop_s_own_thread_is_emitted(monkeypatch: Any) -> None:
    def dispatches_at_once(state: MessagesState) -> None:
        for number in range(3):
            dispatch_custom_event("custom", number)

    async def within(state: Any) -> Any:
        RunnableLambda(dispatches_at_once).invoke(state)  # blocks the loop

    monkeypatch.setattr(Pacer, "due", lambda self: True)
    assert seen(await record(graph_of(within), HI, ALL_EVENTS)) == [0, 1, 2]


# Where a graph stops.


async def draft(state: MessagesState) -> Any:
    return {"messages": [await SPEAKS.ainvoke(state["messages"])]}


async def ask(state: MessagesState) -> Any:
    return {"messages": [("ai", str(interrupt("Sure?")))]}


STREAMS: list[dict[str, Any]] = [
    {},
    {"stream_mode": "values"},
    {"stream_mode": "messages"},
    {"stream_mode": ["messages", "custom"]},
    {"stream_mode": "custom", "subgraphs": True},
    {"version": "v2"},
    {"version": "v2", "stream_mode": ["values"]},
    {"version": "v2", "stream_mode": "messages", "subgraphs": True},
]


@pytest.mark.parametrize("stream", STREAMS, ids=str)
@pytest.mark.parametrize(
    "wants", [ALL_EVENTS, {OutputChunk}, {TextDelta}], ids=["all", "raw", "text"]
)
async def test_a_graph_that_stops_says_so_in_every_stream_mode(wants: Any, stream: Any) -> None:
    asking = graph_of(draft, ask, checkpointer=InMemorySaver())
    waiting = graph_of(draft, ask, checkpointer=InMemorySaver(), interrupt_before=["ask"])
    for number, graph in enumerate((asking, waiting)):
        run = graph.with_config({"configurable": {"thread_id": str(number)}})
        *_, end = await record(run, HI, frozenset(wants), stream)
        assert isinstance(end, RunFinished)
        [stop] = end.interrupts
        assert stop.value == (waiting if number else "Sure?") or stop.value == {
            "when": "breakpoint"
        }
        assert end.graph_interrupts == ([] if number else [stop])
        assert end.state["__interrupt__"] == [each.document for each in end.graph_interrupts]


async def test_events_contain_the_chunks_that_the_route_requests() -> None:
    for stream in ({"stream_mode": "values"}, {"stream_mode": ["values"], "version": "v2"}):
        events = await record(graph_of(draft), HI, frozenset({LangChainEvent}), stream)
        chunks = [
            event.data["chunk"]
            for event in events
            if isinstance(event, LangChainEvent) and event.event == "on_chain_stream"
            if not event.parent_ids
        ]
        assert [sorted(chunk) for chunk in chunks] == 2 * [
            ["data", "interrupts", "ns", "type"] if "version" in stream else ["messages"]
        ]


async def test_the_data_of_a_custom_event_may_be_any_value() -> None:
    async def dispatches(state: MessagesState) -> Any:
        for data in ("text", {"input": 1}):
            await adispatch_custom_event("x", data)

    *events, end = await record(graph_of(dispatches), HI, frozenset({LangChainEvent}))
    assert isinstance(end, RunFinished)
    custom = [each for each in events if isinstance(each, LangChainEvent) and each.step.name == "x"]
    assert [each.data for each in custom] == ["text", {"input": 1}]


@pytest.mark.parametrize("format", ["tokens", "text", "chunks", "events"])
async def test_each_format_s_json_answer_tells_of_a_stop(format: str) -> None:
    app = StreamApp([StreamRoute("/", graph_of(draft, ask), format=format)])
    answer = await post(app, "/", HI, headers={"accept": "application/json"})
    [stop] = json.loads(answer.body)["interrupted"]
    assert stop["value"] == "Sure?"


async def test_langserve_s_and_langgraph_s_documents_have_the_stop_in_the_state() -> None:
    graph = graph_of(draft, ask, interrupt_before=["draft"])
    app = StreamApp(
        [
            StreamRoute("/served", graph_of(draft, ask), format="langserve"),
            StreamRoute("/graph", graph_of(draft, ask), format="langgraph"),
            StreamRoute("/still", graph, format="langgraph"),
        ]
    )
    served = json.loads((await post(app, "/served/invoke", {"input": HI})).body)
    [stop] = served["output"]["__interrupt__"]
    assert stop["value"] == "Sure?"
    body = {"assistant_id": "graph", "input": HI}
    waited = await post(app, "/graph/runs/wait", body)
    assert b'"__interrupt__":[{"id":"' in waited.body
    stopped = await post(app, "/still/runs/wait", {**body, "assistant_id": "still"})
    assert b'"__interrupt__":[]' in stopped.body


async def test_an_entrypoint_that_stops_has_the_stop_for_its_state() -> None:
    @entrypoint(checkpointer=InMemorySaver())
    async def asks(value: Any) -> str:
        return str(interrupt("Sure?"))

    asking: Any = asks
    config: Any = {"configurable": {"thread_id": "t"}}
    wanted = json.loads(to_json(await asking.ainvoke(HI, config)))
    run = asking.with_config({"configurable": {"thread_id": "other"}})
    app = StreamApp(
        [StreamRoute(f"/{name}", run, format=name) for name in ("langserve", "langgraph")]
    )
    served = json.loads((await post(app, "/langserve/invoke", {"input": HI})).body)["output"]
    waited = json.loads(
        (await post(app, "/langgraph/runs/wait", {"assistant_id": "langgraph", "input": HI})).body
    )
    for state in (served, waited, wanted):
        assert [stop["value"] for stop in state.pop("__interrupt__")] == ["Sure?"]
        assert state == {}


@pytest.mark.parametrize("modes", [["messages-tuple"], ["custom"], ["values"], ["updates"]])
async def test_langgraph_s_clients_get_interrupts_once_in_any_mode(modes: list[str]) -> None:
    graph = graph_of(draft, ask)
    app = StreamApp([StreamRoute("/graph", graph, format="langgraph")])
    body = {"assistant_id": "graph", "input": HI, "stream_mode": modes}
    answer = (await post(app, "/graph/runs/stream", body)).body.decode()
    assert answer.count('"__interrupt__"') == 1
    assert ("event: values" in answer) == (modes != ["updates"])


# What of its state is for a client.


class Narrow(TypedDict):
    text: str


class Wide(TypedDict):
    text: str
    secret: NotRequired[str]
    messages: NotRequired[list[AnyMessage]]


def narrow() -> Any:
    graph = StateGraph(Wide, output_schema=Narrow)
    graph.add_node("works", lambda state: {"text": "yes", "secret": "s3cret"})
    graph.add_edge(START, "works")
    return graph.compile()


class Private(AgentState[Any]):
    mine: NotRequired[Annotated[str, PrivateStateAttr]]


class Keeps(AgentMiddleware[Any, Any, Any]):
    state_schema = Private

    def before_model(self, state: Any, runtime: Any) -> Any:
        return {"mine": "s3cret"}


def keeps() -> Any:
    return create_agent(SPEAKS, tools=[], middleware=[Keeps()])


@pytest.mark.parametrize("format", ["chunks", "langgraph", "langserve", "agui"])
@pytest.mark.parametrize("graph", [narrow, keeps])
async def test_a_state_s_private_channels_stay_private(graph: Any, format: str) -> None:
    value: Any = {"text": "?"} if graph is narrow else HI
    stream = {"stream_mode": ["values", "updates"]} if format in ("chunks", "agui") else {}
    path, body = "/x", value
    if format == "langserve":
        path, body = "/x/stream", {"input": value}
    elif format == "langgraph":
        body = {"input": value, "stream_mode": ["values", "updates"]}
    elif format == "agui":
        message = {"id": "1", "role": "user", "content": "hi"}
        body = {"threadId": "t", "runId": "r", "messages": [message], "state": value}
        body |= {"tools": [], "context": [], "forwardedProps": {}}
    app = StreamApp([StreamRoute("/x", graph(), format=format, astream_kwargs=stream)])
    for headers in ({}, {"accept": "application/json"}):
        answer = await post(app, path, body, headers=headers)
        assert answer.status == 200
        assert b"s3cret" not in answer.body


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_subgraph_s_private_channels_stay_private(version: str) -> None:
    async def calls(state: MessagesState) -> Any:
        return await agent_of(work).ainvoke(state)

    graph = StateGraph(MessagesState)
    graph.add_sequence([("keeps", keeps()), ("calls", calls), ("says", says)])
    graph.add_edge(START, "keeps")
    outer = StateGraph(MessagesState).add_node("inner", graph.compile()).add_edge(START, "inner")
    stream = {"stream_mode": ["values", "updates"], "subgraphs": True, "version": version}
    app = StreamApp([StreamRoute("/", outer.compile(), format="chunks", astream_kwargs=stream)])
    *chunks, _ = frames((await post(app, "/", HI)).body)
    assert "s3cret" not in str(chunks)
    assert "Keeps.before_model" in str(chunks)
    assert only(None, {"messages"}) is None  # an update that changes nothing
    assert "Hello." in str(chunks)


async def test_a_route_may_ask_for_more_of_the_state() -> None:
    options = {"stream_mode": "values", "output_keys": ["secret"]}
    app = StreamApp([StreamRoute("/", narrow(), format="chunks", astream_kwargs=options)])
    answer = await post(app, "/", {"text": "?"})
    assert frames(answer.body)[-2:] == [{"secret": "s3cret"}, "[DONE]"]


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("mode", ["messages", "checkpoints", "debug"])
async def test_a_run_s_configuration_is_not_sent(mode: str, version: str) -> None:
    def configure(request: Any) -> Any:
        return {"configurable": {"thread_id": "t1", "plan": "s3cret"}}

    graph = graph_of(draft, checkpointer=InMemorySaver())
    options = {"stream_mode": [mode], "version": version}
    route = StreamRoute("/", graph, format="chunks", configure=configure, astream_kwargs=options)
    app = StreamApp([route])
    body = (await post(app, "/", HI)).body
    assert b"s3cret" not in body
    assert b"t1" in body


@pytest.mark.parametrize("inputs", [False, True])
async def test_events_have_no_metadata_of_what_a_run_is_configured_with(inputs: bool) -> None:
    from asgi_stream import EventFilter

    def configure(request: Any) -> Any:
        return {"configurable": {"model": "s3cret"}}  # LangChain copies it to the metadata

    route = StreamRoute(
        "/",
        graph_of(draft),
        format="events",
        configure=configure,
        filter=EventFilter(inputs=inputs, types=("chat_model",)),
    )
    body = (await post(StreamApp([route]), "/", HI)).body
    assert (b"s3cret" in body) == inputs


# Who speaks.


def answering(text: str, name: str | None) -> Any:
    return create_agent(Scripted(script=[text]), tools=[], name=name)


async def asks_one_in_code(state: MessagesState) -> Any:
    return await answering("in code. ", "coder").ainvoke(state)


def team() -> Any:
    """A named graph, in which agents are nodes, and are called in code, and have no name."""
    graph = StateGraph(MessagesState)
    graph.add_node("research", answering("found. ", "researcher"))
    graph.add_node("inner", graph_of(says, name="Inner"))
    graph.add_node("unnamed", answering("unnamed. ", None))
    graph.add_node("asks", asks_one_in_code)
    graph.add_node("says", says)
    for before, after in pairwise([START, "research", "inner", "unnamed", "asks", "says"]):
        graph.add_edge(before, after)
    return graph.compile(name="Team")


def supervisor() -> Any:
    """An agent whose tool is another agent, with the same model, and one that has no name."""

    @tool
    async def ask_expert(city: str = "") -> str:
        """Asks an expert."""
        state = await answering("expert. ", "expert").ainvoke(HI)
        await answering("nobody. ", None).ainvoke(HI)
        return str(state["messages"][-1].content)

    return agent_of(ask_expert, "boss")


def voices(events: list[Event]) -> list[tuple[str, str | None]]:
    return [(event.text, event.step.agent) for event in events if isinstance(event, TextDelta)]


async def test_each_text_is_its_agent_s() -> None:
    for wants in (ALL_EVENTS, frozenset({TextDelta})):
        assert voices(await record(team(), HI, wants)) == [
            ("found. ", "researcher"),
            ("Hel", "Inner"),
            ("lo.", "Inner"),
            ("unnamed. ", None),
            ("in code. ", "coder"),
            ("Hel", "Team"),
            ("lo.", "Team"),
        ]
        assert voices(await record(supervisor(), HI, wants)) == [
            ("expert. ", "expert"),
            ("nobody. ", None),
            ("Done.", "boss"),
        ]
    events = await record(supervisor(), HI, ALL_EVENTS)
    assert [event.step.agent for event in events if isinstance(event, ToolCalled)] == ["boss"]


@pytest.mark.parametrize(
    ("runnable", "answer", "expected"),
    [
        (team, ["Team"], "Hello."),
        (team, ["researcher", "coder"], "found. in code. "),
        (team, ["inner"], "Hello."),
        (team, ["research", "asks"], "found. in code. "),
        (supervisor, ["boss"], "Done."),
        (supervisor, ["expert"], "expert. "),
        (supervisor, ["tools"], "expert. nobody. "),
    ],
)
async def test_an_answer_can_be_an_agent_s(runnable: Any, answer: list[str], expected: str) -> None:
    app = StreamApp([StreamRoute("/", runnable(), format="text", answer=answer)])
    assert (await post(app, "/", HI)).body.decode() == expected


async def test_front_ends_get_the_agent_s_name() -> None:
    app = StreamApp(
        [StreamRoute(f"/{name}", supervisor(), format=name) for name in ("vercel", "agui")]
    )
    message = {"id": "1", "role": "user", "parts": [{"type": "text", "text": "?"}]}
    parts = frames((await post(app, "/vercel", {"messages": [message]})).body)
    started = [part for part in parts[:-1] if part["type"] == "text-start"]
    assert [part.get("providerMetadata") for part in started] == [
        {"langchain": {"agent": "expert"}},
        None,
        {"langchain": {"agent": "boss"}},
    ]
    body: Any = {"threadId": "t", "runId": "r", "tools": [], "context": [], "forwardedProps": {}}
    body |= {"messages": [{"id": "1", "role": "user", "content": "?"}], "state": {}}
    events = frames((await post(app, "/agui", body)).body)
    begun = [event for event in events if event["type"] == "TEXT_MESSAGE_START"]
    assert [event.get("name") for event in begun] == ["expert", None, "boss"]


# Output of calls that fail.


class Fails(Scripted):
    """Fails in the middle of its first answer."""

    failed: bool = False

    async def _astream(self, *_: Any, **__: Any) -> Any:
        yield ChatGenerationChunk(message=AIMessageChunk(content="Hello wor"))
        if not self.failed:
            self.failed = True
            raise ConnectionError("gone")
        yield ChatGenerationChunk(message=AIMessageChunk(content="ld."))


def retried() -> Any:
    model = Fails(script=[])

    async def ask(state: MessagesState) -> Any:
        return {"messages": [await model.ainvoke("x")]}

    graph = StateGraph(MessagesState)
    graph.add_node("ask", ask, retry_policy=RetryPolicy(initial_interval=0, jitter=False))
    graph.add_edge(START, "ask")
    return graph.compile()


class Drafts(Scripted):
    """Says a whole sentence from its second call on."""

    calls: int = 0

    async def _astream(self, *_: Any, **__: Any) -> Any:
        self.calls += 1
        for text in ("Hello wor", "ld.") if self.calls > 1 else ("Hello", " wor"):
            yield ChatGenerationChunk(message=AIMessageChunk(content=text))


def check_it(message: Any) -> Any:
    if not message.content.endswith("."):
        raise ValueError("not a sentence")
    return message


TWICE = RetryPolicy(initial_interval=0, jitter=False, retry_on=ValueError)


def node_retried() -> Any:
    model = Drafts(script=[])

    async def ask(state: MessagesState) -> Any:
        return {"messages": [check_it(await model.ainvoke("x"))]}

    graph = StateGraph(MessagesState)
    graph.add_node("ask", ask, retry_policy=TWICE)
    graph.add_edge(START, "ask")
    return graph.compile()


def subgraph_retried() -> Any:
    tries: list[int] = []

    async def says(state: MessagesState) -> Any:
        return {"messages": [AIMessage("Hello world.")]}

    async def check(state: MessagesState) -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("not yet")
        return {}

    graph = StateGraph(MessagesState)
    graph.add_node("inner", graph_of(says, check), retry_policy=TWICE)
    graph.add_edge(START, "inner")
    return graph.compile()


def parser_retried() -> Any:
    chain = (Drafts(script=[]) | RunnableLambda(check_it)).with_retry(wait_exponential_jitter=False)

    async def ask(state: MessagesState) -> Any:
        return {"messages": [await chain.ainvoke("x")]}

    return graph_of(ask)


def given_up() -> Any:
    async def ask(state: MessagesState) -> Any:
        with contextlib.suppress(ValueError):
            await (Drafts(script=[]) | RunnableLambda(check_it)).ainvoke("x")
        return {"messages": [AIMessage("Hello world.")]}

    return graph_of(ask)


@pytest.mark.parametrize("format", ["tokens", "text", "openai"])
@pytest.mark.parametrize(
    "make", [retried, node_retried, subgraph_retried, parser_retried, given_up]
)
async def test_an_answer_in_one_piece_has_nothing_of_what_has_failed(
    make: Callable[[], Any], format: str
) -> None:
    app = StreamApp([StreamRoute("/x", make(), format=format)])
    path = "/x"
    body: Any = HI
    if format == "openai":
        path = "/x/chat/completions"
        body = {"model": "x", "messages": [{"role": "user", "content": "hi"}]}
    answer = json.loads((await post(app, path, body, headers={"accept": "application/json"})).body)
    if format == "openai":
        [choice] = answer["choices"]
        assert choice["message"]["content"] == "Hello world."
    else:
        assert answer["output"] == "Hello world."


async def test_a_failed_call_is_no_answer() -> None:
    async def gives_up(state: MessagesState) -> Any:
        with contextlib.suppress(ConnectionError):
            await Fails(script=[]).ainvoke("x")
        return {"messages": [("ai", "Sorry.")]}

    async def falls_back(value: Any) -> Any:
        with contextlib.suppress(ConnectionError):
            async for _ in Fails(script=[]).astream("x"):
                pass
        return "Sorry."

    for wants in (ALL_EVENTS, frozenset({TextDelta, TextDiscarded})):
        for runnable in (graph_of(gives_up), RunnableLambda(falls_back)):
            gathered = Gathered()
            for event in await record(runnable, HI, wants):
                if isinstance(event, TextDelta | TextDiscarded):
                    gathered.take(event)
            assert gathered.text() == "Sorry."

"""Agents whose own code takes part: in tool calls, in text, in answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any, TypedDict
from uuid import uuid4

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    HumanInTheLoopMiddleware,
    ModelCallLimitMiddleware,
    ToolCallLimitMiddleware,
    ToolRetryMiddleware,
    wrap_tool_call,
)
from langchain.agents.structured_output import ToolStrategy
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, ToolMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableLambda, RunnableParallel
from langchain_core.tools import tool
from langgraph.cache.memory import InMemoryCache
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import CachePolicy, Command, RetryPolicy, Send, interrupt
from pydantic import BaseModel

from asgi_stream import Limits, StreamApp, StreamRoute
from asgi_stream.events import (
    ALL_EVENTS,
    BlockFinished,
    BlockStarted,
    Event,
    RunError,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    ToolCallResumed,
    ToolCallStarted,
    ToolFailed,
    ToolFinished,
)
from asgi_stream.formats.vercel import VercelFormat

from ..asgi import frames, post
from ..corpus import Recording, record
from .handlers import callbacks_for

pytestmark = pytest.mark.anyio

HI = {"messages": [("human", "hi")]}
TEXT_ONLY = frozenset({TextDelta})


class Turns(BaseChatModel):
    """Streams the next turn for each answer, its own or a tool's, in its input."""

    turns: Sequence[Sequence[AIMessageChunk]]

    @property
    def _llm_type(self) -> str:
        return "turns"

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    async def _astream(self, messages: Any, *_: Any, **__: Any) -> AsyncIterator[Any]:
        types = [message.type for message in messages]
        turn = types.count("ai")
        for chunk in self.turns[min(turn, len(self.turns) - 1)]:
            yield ChatGenerationChunk(message=chunk.model_copy(deep=True))


def piece(
    id: str | None, name: str | None, args: str, index: int | None = 0, content: str = ""
) -> AIMessageChunk:
    chunk = {"name": name, "args": args, "id": id, "index": index, "type": "tool_call_chunk"}
    return AIMessageChunk(content=content, tool_call_chunks=[chunk])  # type: ignore[list-item]


def words(text: str) -> list[AIMessageChunk]:
    return [AIMessageChunk(content=text)]


@tool
async def weather(city: str = "Oslo") -> str:
    """The weather."""
    return f"sunny in {city}"


@tool
async def other() -> str:
    """Something else."""
    return "other"


def results(events: Sequence[Event]) -> list[tuple[str, Any]]:
    """The answers to calls, in order, with what the client sees of each."""
    return [
        (event.call_id, event.output if isinstance(event, ToolFinished) else "failed")
        for event in events
        if isinstance(event, ToolFinished | ToolFailed)
    ]


def called(events: Sequence[Event]) -> list[str]:
    return [event.call_id for event in events if isinstance(event, ToolCalled)]


def text(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


@wrap_tool_call
async def cached(request: Any, handler: Any) -> ToolMessage:
    """Answers without the tool."""
    return ToolMessage("from cache", tool_call_id=request.tool_call["id"])


@wrap_tool_call
async def twice(request: Any, handler: Any) -> Any:
    """Runs the tool twice, and takes the second answer."""
    await handler(request)
    return await handler(request)


class Contact(BaseModel):
    """A contact."""

    name: str


async def test_each_call_has_one_answer_whoever_gives_it() -> None:
    one = [[piece("c1", "weather", '{"city": "Rome"}')], words("Done.")]
    two = [
        [piece("c1", "weather", "{}"), piece("c2", "weather", "{}", 1)],
        words("Done."),
    ]
    limit = ToolCallLimitMiddleware(run_limit=1, exit_behavior="continue")
    unknown = [[piece("c1", "wether", "{}")], words("Done.")]
    structured = [[piece("c1", "Contact", '{"name": "Ada"}')]]
    agents: Mapping[str, tuple[Any, list[tuple[str, Any]]]] = {
        "the tool": (
            create_agent(Turns(turns=one), [weather]),
            [("c1", "sunny in Rome")],
        ),
        "a cache": (
            create_agent(Turns(turns=one), [weather], middleware=[cached]),
            [("c1", "from cache")],
        ),
        "the second try": (
            create_agent(Turns(turns=one), [weather], middleware=[twice]),
            [("c1", "sunny in Rome")],
        ),
        "a limit": (
            create_agent(Turns(turns=two), [weather], middleware=[limit]),
            [("c2", "failed"), ("c1", "sunny in Oslo")],
        ),
        "no such tool": (create_agent(Turns(turns=unknown), [weather]), [("c1", "failed")]),
        "a structured response": (
            create_agent(Turns(turns=structured), [], response_format=ToolStrategy(Contact)),
            [("c1", "Returning structured response: name='Ada'")],
        ),
    }
    for name, (agent, expected) in agents.items():
        events = await record(agent, HI, ALL_EVENTS)
        assert sorted(results(events)) == sorted(expected), name
        assert sorted(called(events)) == sorted(id_ for id_, _ in expected), name


async def test_of_two_answers_in_one_update_the_last_counts() -> None:
    graph = StateGraph(MessagesState)
    model = Turns(
        turns=[
            [
                *(piece("c", "weather", "{}"), piece("d", "weather", "{}", 1)),
                piece("d", "weather", "{}", 2),
            ]
        ]
    )

    async def ask(state: MessagesState) -> Any:
        return {"messages": [await model.ainvoke(state["messages"])]}

    async def answer(state: MessagesState) -> Any:
        answers = [("c", "first"), ("d", "one"), ("c", "last"), ("d", "two")]
        return {"messages": [ToolMessage(text, tool_call_id=id_) for id_, text in answers]}

    graph.add_sequence([ask, answer])
    graph.add_edge(START, "ask")
    events = await record(graph.compile(), HI, ALL_EVENTS)
    assert results(events) == [("d", "one"), ("c", "last"), ("d-2", "two")]


async def test_a_tool_that_is_tried_again_fails_only_at_last() -> None:
    tries = 0

    @tool
    async def flaky() -> str:
        """Fails twice of three times."""
        nonlocal tries
        tries += 1
        if tries % 3:
            raise ConnectionError("no")
        return "got it"

    retry = ToolRetryMiddleware(max_retries=3, initial_delay=0.001, jitter=False)
    turns = [[piece("c", "flaky", "")], words("ok")]
    events = await record(
        create_agent(Turns(turns=turns), [flaky], middleware=[retry]), HI, ALL_EVENTS
    )
    assert results(events) == [("c", "got it")]
    # A call without arguments has an object of none, which its client can send back.
    [delta] = [event for event in events if isinstance(event, ToolCallDelta)]
    assert delta.text == "{}"

    tries = 0
    gives_up = ToolRetryMiddleware(max_retries=1, initial_delay=0.001, jitter=False)
    agent = create_agent(Turns(turns=turns), [flaky], middleware=[gives_up])
    assert results(await record(agent, HI, ALL_EVENTS)) == [("c", "failed")]


async def test_a_tool_of_a_node_that_is_tried_again_has_one_answer() -> None:
    tries = 0

    @tool
    async def flaky() -> str:
        """Fails twice."""
        nonlocal tries
        tries += 1
        if tries < 3:
            raise ConnectionError("no")
        return "got it"

    model = Turns(turns=[[piece("c", "flaky", "{}")], words("Done.")])

    async def ask(state: MessagesState) -> Any:
        return {"messages": [await model.ainvoke(state["messages"])]}

    def agent() -> Any:
        graph = StateGraph(MessagesState)
        retry = RetryPolicy(max_attempts=2, initial_interval=0.001, retry_on=ConnectionError)
        graph.add_node("ask", ask)
        graph.add_node("tools", ToolNode([flaky], handle_tool_errors=False), retry_policy=retry)
        graph.add_edge(START, "ask")
        graph.add_conditional_edges("ask", tools_condition)
        graph.add_edge("tools", "ask")
        return graph.compile()

    async def forgiving(state: MessagesState) -> Any:
        """A node that has the agent in it, and goes on without it."""
        with contextlib.suppress(ConnectionError):
            await agent().ainvoke({"messages": [("human", "hi")]})

    async def after(state: MessagesState) -> Any:
        return {"messages": [AIMessage("Well.")]}

    outer = StateGraph(MessagesState)
    outer.add_sequence([forgiving, after])
    outer.add_edge(START, "forgiving")
    events = await record(outer.compile(), HI, ALL_EVENTS)
    assert results(events) == [("c", "failed")]
    [failed] = [event for event in events if isinstance(event, ToolFailed)]
    assert text(events[events.index(failed) :]) == "Well."
    tries = 1
    assert results(await record(agent(), HI, ALL_EVENTS)) == [("c", "got it")]


async def test_a_tool_that_ends_the_run_has_failed() -> None:
    @tool
    async def breaks() -> str:
        """Breaks."""
        raise ConnectionError("no")

    agent = create_agent(Turns(turns=[[piece("c", "breaks", "{}")]]), [breaks])
    events = await record(agent, HI, ALL_EVENTS)
    assert results(events) == [("c", "failed")]


async def test_a_run_that_fails_leaves_no_call_open() -> None:
    class Boom(AgentMiddleware):
        async def aafter_model(self, state: Any, runtime: Any) -> None:
            raise RuntimeError("no")

    @tool
    async def breaks() -> str:
        """Breaks, once the other goes on."""
        await asyncio.sleep(0.01)
        raise ConnectionError("no")

    @tool
    async def stays() -> str:
        """Goes on for ever."""
        await asyncio.Event().wait()
        return "never"

    def turns(*names: str) -> Turns:
        return Turns(turns=[[piece(f"c{n}", name, "{}", n) for n, name in enumerate(names)]])

    limit = ToolCallLimitMiddleware(run_limit=1, exit_behavior="error")
    runs: Mapping[str, tuple[Any, list[tuple[str, Any]]]] = {
        "too many steps": (
            create_agent(turns("weather"), [weather]).with_config(recursion_limit=3),
            [("c0", "sunny in Oslo"), ("c0-2", "failed")],
        ),
        "a node": (
            create_agent(turns("weather"), [weather], middleware=[Boom()]),
            [("c0", "failed")],
        ),
        "another tool": (
            create_agent(turns("breaks", "stays"), [breaks, stays]),
            [("c0", "failed"), ("c1", "failed")],
        ),
        "a limit": (
            create_agent(turns("weather", "weather"), [weather], middleware=[limit]),
            [("c0", "failed"), ("c1", "failed")],
        ),
        "code": (
            RunnableParallel(one=breaks, two=stays),
            [("uuid", "failed"), ("uuid", "failed")],
        ),
    }
    for name, (runnable, expected) in runs.items():
        events = await record(runnable, HI if name != "code" else {}, ALL_EVENTS)
        actual = [(id_ if id_ in dict(expected) else "uuid", out) for id_, out in results(events)]
        assert sorted(actual) == expected, name
        assert len(called(events)) == len(expected), name
        assert isinstance(events[-1], RunError), name


async def test_a_run_that_takes_too_long_leaves_no_call_open() -> None:
    class Halts(Turns):
        async def _astream(self, messages: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            async for chunk in super()._astream(messages, *args, **kwargs):
                yield chunk
            await asyncio.Event().wait()

    agent = create_agent(Halts(turns=[[piece("c", "weather", '{"ci')]]), [weather])
    chat = {"messages": [{"id": "1", "role": "user", "parts": [{"type": "text", "text": "Hi"}]}]}
    for form in ("vercel", "tests.langchain.test_agents:Chokes"):
        app = StreamApp([StreamRoute("/", agent, format=form, limits=Limits(run=1))])
        answer = await post(app, "/", chat)
        kinds = [frame["type"] for frame in frames(answer.body)[:-1]]
        closed = ["tool-input-error", "tool-output-error"]
        assert kinds[-3:] == (
            [*closed, "error"] if form == "vercel" else ["tool-input-delta", closed[0], "error"]
        )
        assert kinds.count("error") == 1


class Chokes(VercelFormat):
    """Cannot tell of a tool that has failed."""

    def encode(self, event: Event) -> bytes:
        if isinstance(event, ToolFailed):
            raise ValueError("no")
        return super().encode(event)


async def test_a_call_that_nobody_answers_is_settled_at_the_end() -> None:
    graph = StateGraph(MessagesState)
    model = Turns(turns=[[piece("c", "weather", "{}")]])

    async def ask(state: MessagesState) -> Any:
        return {"messages": [await model.ainvoke(state["messages"])]}

    async def run(state: MessagesState) -> Any:
        """Runs the tool, and keeps its answer to itself."""
        await weather.ainvoke({"type": "tool_call", "id": "d", "name": "weather", "args": {}})

    graph.add_node("ask", ask)
    graph.add_node("run", run)
    graph.add_edge(START, "ask")
    graph.add_edge("ask", "run")
    events = await record(graph.compile(), HI, ALL_EVENTS)
    assert results(events) == [("d", "sunny in Oslo"), ("c", "failed")]


async def test_ids_that_models_repeat_or_give_late_are_one_for_each_call() -> None:
    again = [
        [piece("call_0", "weather", '{"city": "A"}')],
        [piece("call_0", "weather", '{"city": "B"}')],
        words("Done."),
    ]
    events = await record(create_agent(Turns(turns=again), [weather]), HI, ALL_EVENTS)
    assert results(events) == [("call_0", "sunny in A"), ("call_0-2", "sunny in B")]

    graph = StateGraph(MessagesState)
    same = Turns(
        turns=[
            [piece("c", "weather", '{"city": "A"}'), piece("c", "weather", '{"city": "B"}', 1)],
            words("Done."),
        ]
    )

    async def ask(state: MessagesState) -> Any:
        return {"messages": [await same.ainvoke(state["messages"])]}

    graph.add_node("ask", ask)
    graph.add_node("tools", ToolNode([weather]))
    graph.add_edge(START, "ask")
    graph.add_conditional_edges("ask", tools_condition)
    graph.add_edge("tools", "ask")
    events = await record(graph.compile(), HI, ALL_EVENTS)
    assert called(events) == ["c", "c-2"]
    assert sorted(id_ for id_, _ in results(events)) == ["c", "c-2"]

    for none in (None, ""):
        late = [[piece(none, "weather", ""), piece("late", None, '{"city": "A"}')], words("Done.")]
        events = await record(create_agent(Turns(turns=late), [weather]), HI, ALL_EVENTS)
        [started] = [event for event in events if isinstance(event, ToolCallStarted)]
        assert results(events) == [(started.call_id, "sunny in A")]

    empty = [
        [
            piece("", "weather", '{"city": "A"}'),
            piece("", "other", "{}", 1),
            piece("", "weather", '{"city": "B"}', 2),
        ],
        words("Done."),
    ]
    events = await record(create_agent(Turns(turns=empty), [other, weather]), HI, ALL_EVENTS)
    assert len(set(called(events))) == 3
    answers = dict(results(events))
    assert [answers[id_] for id_ in called(events)] == ["sunny in A", "other", "sunny in B"]


async def test_calls_at_once_with_the_same_id_are_distinguished() -> None:
    @tool
    async def look(city: str) -> str:
        """Sees the slow city last."""
        await asyncio.sleep(0.05 if city == "slow" else 0)
        return f"seen {city}"

    class FormatRequest(Turns):
        async def _astream(self, messages: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            if messages[-1].type == "human":
                arguments = json.dumps({"city": messages[-1].text})
                yield ChatGenerationChunk(message=piece("call_0", "look", arguments))
            else:
                yield ChatGenerationChunk(message=AIMessageChunk(content="Done."))

    class City(TypedDict):
        city: str

    agent: Any = create_agent(FormatRequest(turns=[]), [look])

    async def visit(state: City) -> Any:
        result = await agent.ainvoke({"messages": [("human", state["city"])]})
        return {"messages": result["messages"]}  # whose events have been emitted

    fan = StateGraph(MessagesState)
    fan.add_node("visit", visit)
    fan.add_conditional_edges(
        START, lambda _: [Send("visit", {"city": city}) for city in ("slow", "fast")], ["visit"]
    )
    twice_in_one = [
        [
            piece("call_0", "look", '{"city": "slow"}'),
            piece("call_0", "look", '{"city": "fast"}', 1),
        ],
        words("Done."),
    ]
    for runnable in (fan.compile(), create_agent(Turns(turns=twice_in_one), [look])):
        events = await record(runnable, HI, ALL_EVENTS)
        cities = {e.call_id: e.arguments["city"] for e in events if isinstance(e, ToolCalled)}
        assert sorted(cities) == ["call_0", "call_0-2"]
        assert results(events) == [
            (id_, f"seen {cities[id_]}") for id_ in sorted(cities, key=lambda id_: cities[id_])
        ]


async def test_a_call_that_an_answer_goes_on_with_is_not_announced_again() -> None:
    @tool
    async def pay(amount: int) -> str:
        """Pays."""
        return f"paid {amount}: {interrupt('ok?')}"

    turns = [[piece("p", "pay", '{"amount": 5}')], words("Done.")]
    agent = create_agent(Turns(turns=turns), [pay], checkpointer=InMemorySaver())
    configured = agent.with_config(configurable={"thread_id": uuid4().hex})
    first = await record(configured, HI, ALL_EVENTS)
    assert (called(first), results(first)) == (["p"], [])
    wrapped: Any = RunnableLambda(lambda _: Command(resume="yes"))
    answer = wrapped | configured
    second = await record(answer, "yes", ALL_EVENTS)
    assert (called(second), results(second)) == ([], [("p", "paid 5: yes")])
    assert text(second) == "Done."


async def test_a_call_that_a_run_goes_on_with_without_an_answer_is_not_announced_again() -> None:
    tries = 0

    @tool
    async def flaky() -> str:
        """Fails at first."""
        nonlocal tries
        tries += 1
        if tries == 1:
            raise ConnectionError("no")
        return "got it"

    stops: dict[str, Any] = {"interrupt_before": ["tools"]}
    for tool_, options, answer in ((weather, stops, "sunny in Oslo"), (flaky, {}, "got it")):
        turns = [[piece("c", tool_.name, "{}")], words("Done.")]
        agent = create_agent(
            Turns(turns=turns), [tool_], checkpointer=InMemorySaver(), **options
        ).with_config(configurable={"thread_id": uuid4().hex})
        assert called(await record(agent, HI, ALL_EVENTS)) == ["c"]
        second = await record(agent, None, ALL_EVENTS)
        assert (called(second), results(second)) == ([], [("c", answer)])


async def test_a_person_s_decision_on_each_call_is_emitted_once() -> None:
    turns = [
        [piece("a", "weather", '{"city": "Rome"}'), piece("b", "weather", "{}", 1)],
        words("Done."),
    ]
    asks = HumanInTheLoopMiddleware(interrupt_on={"weather": True})
    agent = create_agent(
        Turns(turns=turns), [weather], middleware=[asks], checkpointer=InMemorySaver()
    ).with_config(configurable={"thread_id": uuid4().hex})
    first = await record(agent, HI, ALL_EVENTS)
    assert (called(first), results(first)) == (["a", "b"], [])
    decisions = [{"type": "approve"}, {"type": "reject", "message": "No."}]
    second = await record(agent, Command(resume={"decisions": decisions}), ALL_EVENTS)
    assert results(second) == [("b", "failed"), ("a", "sunny in Rome")]
    resumed = [(e.call_id, e.arguments) for e in second if isinstance(e, ToolCallResumed)]
    assert (called(second), resumed) == ([], [("b", {}), ("a", {"city": "Rome"})])


async def test_a_middleware_s_answer_to_a_call_of_the_history_is_emitted() -> None:
    class Patch(AgentMiddleware):
        async def abefore_agent(self, state: Any, runtime: Any) -> Any:
            made = state["messages"][-2:-1]
            ids = [call["id"] for each in made for call in getattr(each, "tool_calls", ())]
            # With what is there already, as code that returns the whole list does.
            answers = [ToolMessage("cancelled", tool_call_id=id_) for id_ in ids]
            return {"messages": [*state["messages"], *answers]}

    calls = [[piece("a", "weather", "{}")], words("Done."), words("Well.")]
    agent = create_agent(
        *(Turns(turns=calls), [weather]),
        middleware=[Patch()],
        interrupt_before=["tools"],
        checkpointer=InMemorySaver(),
    ).with_config(configurable={"thread_id": uuid4().hex})
    assert called(await record(agent, HI, ALL_EVENTS)) == ["a"]
    second = await record(agent, {"messages": [("human", "never mind")]}, ALL_EVENTS)
    assert results(second) == [("a", "cancelled")]
    third = await record(agent, {"messages": [("human", "and now?")]}, ALL_EVENTS)
    assert (results(third), text(third)) == ([], "Well.")


async def test_text_that_no_model_produces_is_emitted_once() -> None:
    class Guard(AgentMiddleware):
        async def aafter_agent(self, state: Any, runtime: Any) -> Any:
            return {"messages": [AIMessage("Blocked.")]}

    guarded = create_agent(Turns(turns=[words("Secret. ")]), [], middleware=[Guard()])
    looping = Turns(turns=[[piece("c", "weather", "{}", content="Let me look. ")]])
    limit = ModelCallLimitMiddleware(run_limit=2, exit_behavior="end")
    limited = create_agent(looping, [weather], middleware=[limit])
    for wants in (TEXT_ONLY, ALL_EVENTS):
        events = await record(guarded, HI, wants)
        assert text(events) == "Secret. Blocked."
        answer = text(await record(limited, HI, wants))
        assert answer.startswith("Let me look. Let me look. Model call limits exceeded")
    opened = [event.block for event in events if isinstance(event, BlockStarted)]
    closed = [event.block for event in events if isinstance(event, BlockFinished)]
    assert opened == closed
    assert len(set(opened)) == 2


async def one_and_two(state: MessagesState) -> Any:
    call = {"name": "weather", "args": {}, "id": "c"}
    return {
        "messages": [AIMessage("one ", tool_calls=[call]), ToolMessage("two", tool_call_id="c")]
    }


def with_cache(node: Any, name: str | None = None) -> Any:
    graph = StateGraph(MessagesState)
    graph.add_node("cached", node, cache_policy=CachePolicy(key_func=lambda *_: "same"))
    graph.add_node("last", lambda _: {"messages": AIMessage("three ")})
    graph.add_edge(START, "cached")
    graph.add_edge("cached", "last")
    return graph.compile(cache=InMemoryCache(), name=name)


@pytest.mark.parametrize(
    "stream",
    [{}, {"stream_mode": "updates"}, {"version": "v2"}],
    ids=["plain", "updates", "version 2"],
)
async def test_a_node_from_langgraph_s_cache_emits_what_a_running_one_does(stream: Any) -> None:
    inner = with_cache(one_and_two, "inner")
    outer = StateGraph(MessagesState)
    outer.add_node("inner", inner)
    outer.add_edge(START, "inner")
    in_a_chain = inner | RunnableLambda(lambda state: state)
    for graph in (with_cache(one_and_two, "expert"), outer.compile(), in_a_chain):
        ran = await record(graph, HI, ALL_EVENTS, stream)
        again = await record(graph, HI, ALL_EVENTS, stream)
        assert results(again) == results(ran) == [("c", "two")]
        assert text(again).split() == text(ran).split() == ["one", "three"]
        assert text(await record(graph, HI, TEXT_ONLY, stream)) == text(again)
        assert agents(again) == agents(ran)


async def test_a_cached_node_emits_nothing_once_the_run_is_cancelled() -> None:
    sink = Recording(TEXT_ONLY)
    callbacks, tracker = callbacks_for(sink)
    tracker.refusing = True
    callbacks.cached("", "node", {"messages": [AIMessage("late")]})
    assert sink.events == []


def agents(events: Sequence[Event]) -> set[str | None]:
    return {event.step.agent for event in events if isinstance(event, TextDelta)}


async def test_a_message_that_a_node_passes_to_its_parent_graph_is_emitted_once() -> None:
    def hands_up(state: MessagesState) -> Any:
        update = {"messages": [AIMessage("Over to you. ")]}
        return Command(graph=Command.PARENT, goto="next", update=update)

    inner = StateGraph(MessagesState)
    inner.add_node("hands up", hands_up)
    inner.add_edge(START, "hands up")
    outer = StateGraph(MessagesState)
    outer.add_node("inner", inner.compile())
    outer.add_node("next", lambda _: {"messages": [AIMessage("Thanks.")]})
    outer.add_edge(START, "inner")
    for wants in (TEXT_ONLY, ALL_EVENTS):
        assert text(await record(outer.compile(), HI, wants)) == "Over to you. Thanks."


class Nested(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


async def test_messages_that_a_graph_already_has_are_not_emitted_again() -> None:
    inner = StateGraph(Nested)
    inner.add_node("two", lambda _: {"messages": [AIMessage("one "), AIMessage("two ")]})
    inner.add_node("call", lambda _: Command(update={"messages": AIMessage("three ", id="3")}))
    inner.add_edge(START, "two")
    inner.add_edge("two", "call")
    outer = StateGraph(Nested)
    outer.add_node("inner", inner.compile())
    outer.add_node("again", lambda state: {"messages": state["messages"]})
    outer.add_edge(START, "inner")
    outer.add_edge("inner", "again")
    history = {"messages": [("human", "hi"), ("ai", "old"), ("human", "ho")]}
    for wants in (TEXT_ONLY, ALL_EVENTS):
        assert text(await record(outer.compile(), history, wants)) == "one two three "


async def test_the_message_of_a_model_tagged_nostream_is_not_emitted_by_its_node() -> None:
    quiet = Turns(turns=[words("a note")]).with_config(tags=["nostream"])
    loud = Turns(turns=[words("the answer")])

    async def note(state: MessagesState) -> Any:
        return {"messages": [await quiet.ainvoke(state["messages"])]}

    async def answer(state: MessagesState) -> Any:
        await asyncio.sleep(0)
        return {"messages": [await loud.ainvoke("x")]}

    graph = StateGraph(MessagesState)
    graph.add_node("note", note)
    graph.add_node("answer", answer)
    graph.add_edge(START, "note")
    graph.add_edge("note", "answer")
    for wants in (TEXT_ONLY, ALL_EVENTS):
        assert text(await record(graph.compile(), HI, wants)) == "the answer"


async def test_a_node_s_message_that_is_not_for_the_client_is_not_emitted() -> None:
    sink = Recording(TEXT_ONLY)
    callbacks, _ = callbacks_for(sink)
    about = {"tags": ["graph:step:1", "nostream"], "metadata": {"langgraph_node": "n"}}
    run_id = uuid4()
    callbacks.on_chain_start({}, {}, run_id=run_id, name="n", **about)
    callbacks.on_chain_end({"messages": [AIMessage("hidden")]}, run_id=run_id)
    assert sink.events == []


class City(BaseModel):
    """A city."""

    name: str


@tool(return_direct=True)
async def direct(city: str = "Oslo") -> str:
    """Answers the client."""
    return f"It is {city}."


@tool(return_direct=True)
async def fails(city: str = "Oslo") -> Any:
    """Has no answer."""
    return ToolMessage("a secret", tool_call_id="c", status="error")


@pytest.mark.parametrize(
    ("called", "expected"),
    [
        ([piece("c", "direct", "{}")], "It is Oslo."),
        (
            [piece("c", "direct", "{}"), piece("d", "direct", '{"city": "Rome"}', 1)],
            "It is Oslo.\nIt is Rome.",
        ),
        ([piece("c", "City", '{"name": "Oslo"}')], "Returning structured response: name='Oslo'"),
        ([piece("c", "fails", "{}")], "The tool failed."),
    ],
)
@pytest.mark.parametrize("before", ["", "Look. "])
async def test_what_a_tool_answers_directly_is_text_for_those_who_see_no_tools(
    called: list[AIMessageChunk], expected: str, before: str
) -> None:
    form = ToolStrategy(City) if called[0].tool_call_chunks[0]["name"] == "City" else None
    turns = Turns(turns=[[*words(before), *called]])
    agent = create_agent(turns, [direct, fails], response_format=form)
    for wants in (TEXT_ONLY, ALL_EVENTS - {ToolFinished}):
        assert text(await record(agent, HI, wants)) == before + expected
    events = await record(agent, HI, ALL_EVENTS)
    assert text(events) == before
    assert results(events)[0][0] == "c"
    for format in ("tokens", "text", "openai"):
        assert await in_one_piece(agent, format) == before + expected


async def in_one_piece(runnable: Any, format: str) -> Any:
    """The text of the JSON answer."""
    app = StreamApp([StreamRoute("/x", runnable, format=format)])
    path, body = "/x", dict[str, Any](HI)
    if format == "openai":
        path = "/x/chat/completions"
        body = {"model": "x", "messages": [{"role": "user", "content": "hi"}]}
    answer = json.loads((await post(app, path, body, headers={"accept": "application/json"})).body)
    return answer["choices"][0]["message"]["content"] if format == "openai" else answer["output"]


async def test_a_tool_s_answer_in_the_input_is_not_the_run_s() -> None:
    graph = StateGraph(MessagesState)
    graph.add_node("idle", lambda _: {})
    graph.add_edge(START, "idle")
    call = {"name": "direct", "args": {}, "id": "c"}
    history = [AIMessage("", tool_calls=[call]), ToolMessage("old", tool_call_id="c")]
    assert text(await record(graph.compile(), {"messages": history}, TEXT_ONLY)) == ""

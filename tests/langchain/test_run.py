"""The text of every kind of chain and graph, through the tokens format."""

from __future__ import annotations

import asyncio
import json
import operator
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.output_parsers import JsonOutputParser, StrOutputParser
from langchain_core.runnables import (
    Runnable,
    RunnableGenerator,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
)
from langchain_core.tools import tool
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph

from asgi_stream import StreamApp, StreamRoute
from asgi_stream._langchain import graphs

from ..asgi import frames, post, tokens
from ..corpus import RUNS
from ..models import PROMPT, AtOnce, InThread, Plain, Scripted, chain_of

pytestmark = pytest.mark.anyio

MODEL = Scripted(script=["Hel", "lo"])
ASK = {"question": "?"}


def graph_of(*nodes: Any) -> Runnable[Any, Any]:
    built = StateGraph(MessagesState)
    for before, (n, node) in zip([START, *"012345"], enumerate(nodes), strict=False):
        built.add_node(str(n), node)
        built.add_edge(before, str(n))
    return built.compile()


async def asks(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await MODEL.ainvoke(state["messages"])]}


def asks_in_a_thread(state: MessagesState) -> dict[str, Any]:
    return {"messages": [InThread(script=["Hel", "lo"]).invoke(state["messages"])]}


async def refuses(state: MessagesState) -> dict[str, Any]:
    return {"messages": [AIMessage("No.")]}


async def streams_itself(value: Any) -> str:
    return "".join([str(chunk.content) async for chunk in MODEL.astream("x")])


def invokes_on_the_loop(value: Any) -> Any:
    return InThread(script=["Hel", "lo"]).invoke("x")


async def invokes_from_async_code(value: Any) -> Any:
    return invokes_on_the_loop(value)


def words(values: Iterator[Any]) -> Iterator[str]:
    for _ in values:
        yield from ["Hel", "lo"]


async def async_words(values: AsyncIterator[Any]) -> AsyncIterator[str]:
    async for _ in values:
        for word in ["Hel", "", "lo"]:
            yield word


MIXED = [
    AIMessageChunk(content=[{"type": "thinking", "thinking": "hm", "index": 0}]),
    AIMessageChunk(content=[{"type": "text", "text": "Hel", "index": 1}]),
    AIMessageChunk(content=""),
    AIMessageChunk(
        content="", tool_call_chunks=[{"name": "t", "args": "{}", "id": "c", "index": 2}]
    ),
    AIMessageChunk(
        content=["l", {"type": "text", "text": "o"}, {"type": "image_url", "image_url": "x"}]
    ),
]

SAY_HELLO: dict[str, tuple[Any, Any]] = {
    "model": (MODEL, "?"),
    "chain": (PROMPT | MODEL, ASK),
    "chain with parser": (PROMPT | MODEL | StrOutputParser(), ASK),
    "chain in a chain": (PROMPT | RunnableLambda(streams_itself) | RunnablePassthrough(), ASK),
    "json parser": (chain_of("Hel", "lo") | JsonOutputParser(), ASK),
    "model in a thread": (InThread(script=["Hel", "lo"]), "?"),
    "sync model invoked by async code": (RunnableLambda(invokes_from_async_code), "?"),
    "sync model invoked by sync code": (RunnableLambda(invokes_on_the_loop), "?"),
    "reasoning, tool calls and images aside": (Scripted(script=MIXED), "?"),
    "fallback": (Scripted(script=[ValueError()]).with_fallbacks([MODEL]), "?"),
    "graph": (graph_of(asks), {"messages": [["human", "?"]]}),
    "graph with a sync node": (graph_of(asks_in_a_thread), {"messages": "?"}),
    "generator": (RunnableGenerator(async_words), "?"),
    "sync generator": (RunnableGenerator(words, async_words), "?"),
}


@pytest.mark.parametrize(("runnable", "value"), SAY_HELLO.values(), ids=SAY_HELLO.keys())
async def test_every_token_comes_once_and_in_order(runnable: Any, value: Any) -> None:
    app = StreamApp([StreamRoute("/", runnable)])
    assert "".join(tokens((await post(app, "/", value)).body)) == "Hello"


SAY_AT_ONCE: dict[str, tuple[Any, Any, str]] = {
    "model": (AtOnce(says="Hello"), "?", "Hello"),
    "model with blocks": (AtOnce(says=[{"type": "text", "text": "Hi"}, "!"]), "?", "Hi!"),
    "chain": (PROMPT | AtOnce(says="Hello") | StrOutputParser(), ASK, "Hello"),
    "llm": (Plain(), "?", "plain text"),
    "lambda": (RunnableLambda(lambda x: x.upper()), "abc", "ABC"),
    "a dict": (RunnableLambda(lambda x: {"a": x}), 1, '{"a":1}'),
    "a number": (RunnableLambda(lambda x: x + 1), 1, "2"),
    "a message": (RunnableLambda(lambda x: AIMessage("hi")), 1, "hi"),
    "node without a model": (graph_of(refuses), {"messages": "?"}, "No."),
    "documents": (RunnableLambda(lambda x: [Document("d")]), 1, ...),  # type: ignore[dict-item]
}


@pytest.mark.parametrize(
    ("runnable", "value", "expected"), SAY_AT_ONCE.values(), ids=SAY_AT_ONCE.keys()
)
async def test_what_does_not_stream_is_one_token(runnable: Any, value: Any, expected: Any) -> None:
    app = StreamApp([StreamRoute("/", runnable)])
    [token] = tokens((await post(app, "/", value)).body)
    if expected is ...:
        assert '"page_content":"d"' in token
    else:
        assert token == expected


async def test_a_state_that_ends_with_a_question_has_no_answer() -> None:
    app = StreamApp([StreamRoute("/", RunnableLambda(lambda x: {"messages": [HumanMessage(x)]}))])
    assert tokens((await post(app, "/", "?")).body) == []


async def test_a_model_that_langgraph_keeps_out_of_its_stream_is_kept_out_here() -> None:
    quiet = Scripted(script=["psst"]).with_config(tags=["nostream"])
    app = StreamApp([StreamRoute("/", quiet | RunnableLambda(lambda _: "x") | MODEL)])
    assert "".join(tokens((await post(app, "/", "?")).body)) == "Hello"


DRAFT = Scripted(script=["draft"]).with_config(run_name="drafter", tags=["first"])
CRITIC = Scripted(script=["critique"]).with_config(run_name="critic", tags=["second"])


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((), ["draft", "critique"]),
        (("critic",), ["critique"]),
        (("first",), ["draft"]),
        (("drafter", "second"), ["draft", "critique"]),
    ],
)
async def test_the_route_says_whose_text_is_the_answer(
    answer: tuple[str, ...], expected: list[str]
) -> None:
    app = StreamApp([StreamRoute("/", DRAFT | StrOutputParser() | CRITIC, answer=answer)])
    assert tokens((await post(app, "/", "?")).body) == expected


async def test_an_answer_can_be_a_graph_s_node() -> None:
    async def plans(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await Scripted(script=["plan"]).ainvoke("x")]}

    app = StreamApp([StreamRoute("/", graph_of(plans, asks), answer=("1",))])
    assert "".join(tokens((await post(app, "/", {"messages": "?"})).body)) == "Hello"


async def test_several_models_at_once_all_speak() -> None:
    both = RunnableParallel(a=MODEL, b=MODEL)
    text = "".join(tokens((await post(StreamApp([StreamRoute("/", both)]), "/", "?")).body))
    assert sorted(text) == sorted("HelloHello")


class Custom(Runnable[Any, Any]):
    """A Runnable that tells LangChain nothing of itself."""

    def invoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
        raise NotImplementedError

    async def astream(self, input: Any, config: Any = None, **kwargs: Any) -> AsyncIterator[Any]:
        for part in input:
            yield part


@pytest.mark.parametrize(
    ("value", "output"), [(["a", "b"], "ab"), ([1, {}], {}), ([], None), ([1, 2], 3)]
)
async def test_a_runnable_without_callbacks_succeeds_when_it_has_been_read(
    value: Any, output: Any
) -> None:
    app = StreamApp([StreamRoute("/", Custom(), format="chunks")])
    assert frames((await post(app, "/", value)).body) == [*value, "[DONE]"]
    answer = await post(app, "/", value, headers={"accept": "application/json"})
    assert b'"output":' in answer.body
    assert answer.body.endswith(f'"output":{str(output).replace("None", "null")}}}'.encode()) or (
        output == "ab"
    )


class Iterating(Custom):
    """Its stream is an iterator that cannot be closed."""

    def astream(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
        class Stream:
            def __init__(self) -> None:
                self.parts = iter(input)

            def __aiter__(self) -> Any:
                return self

            async def __anext__(self) -> Any:
                for part in self.parts:
                    return part
                raise StopAsyncIteration

        return Stream()


@pytest.mark.parametrize("format", ["chunks", "events"])
async def test_a_stream_that_cannot_be_closed_is_read_all_the_same(format: str) -> None:
    app = StreamApp([StreamRoute("/", Iterating(), format=format)])
    assert frames((await post(app, "/", ["a"])).body)[-1] == "[DONE]"


async def test_chunks_are_what_astream_yields() -> None:
    parser = chain_of('{"a"', ": [1,", " 2]}") | JsonOutputParser()
    app = StreamApp([StreamRoute("/", parser, format="chunks")])
    assert frames((await post(app, "/", ASK)).body) == [{}, {"a": [1]}, {"a": [1, 2]}, "[DONE]"]


async def test_a_json_answer_to_chunks_is_what_ainvoke_returns() -> None:
    app = StreamApp([StreamRoute("/", graph_of(asks), format="chunks")])
    answer = await post(app, "/", {"messages": "?"}, headers={"accept": "application/json"})
    assert answer.headers["content-type"] == "application/json"
    document = json.loads(answer.body)
    assert document["run_id"] == answer.headers["x-run-id"]
    assert [message["content"] for message in document["output"]["messages"]] == ["?", "Hello"]


class Narrowing(Runnable[Any, Any]):
    """Yields a part of what another Runnable returns, which gets its config."""

    inner: Any = RunnableLambda(lambda value: {"private": "rows", "answer": value})

    def invoke(self, input: Any, config: Any = None, **_: Any) -> Any:
        return self.inner.invoke(input, config)["answer"]


class NarrowingStream(Narrowing):
    async def astream(self, input: Any, config: Any = None, **_: Any) -> AsyncIterator[Any]:
        yield "Oh, "
        async for chunk in self.inner.astream(input, config):
            yield chunk["answer"]


class Relaying(RunnableLambda[Any, Any]):
    """Runs as its base does, with code of its own around that."""

    async def astream(self, input: Any, config: Any = None, **options: Any) -> AsyncIterator[Any]:
        async for chunk in super().astream(input, config, **options):
            yield chunk


@pytest.mark.parametrize(
    ("runnable", "expected"),
    [
        (Narrowing(), "x"),
        (NarrowingStream(), "Oh, x"),
        (Narrowing().with_config(tags=["t"]), "x"),
        (Relaying(lambda value: {"echo": value}), {"echo": "x"}),
    ],
)
async def test_the_output_is_that_of_the_runnable_not_of_one_that_it_calls(
    runnable: Any, expected: Any
) -> None:
    app = StreamApp([StreamRoute("/", runnable, format="chunks")])
    answer = await post(app, "/", "x", headers={"accept": "application/json"})
    assert json.loads(answer.body)["output"] == expected


class Counted(TypedDict):
    words: Annotated[list[str], operator.add]


async def writes(state: Counted) -> Counted:
    get_stream_writer()({"at": 1})
    return {"words": ["x"]}


def counting() -> Runnable[Any, Any]:
    inner = StateGraph(Counted).add_node("in", writes).add_edge(START, "in").compile()
    return StateGraph(Counted).add_node("out", inner).add_edge(START, "out").compile()


@pytest.mark.parametrize(
    ("stream", "keys"),
    [
        ({"stream_mode": "updates"}, None),
        ({"stream_mode": ["updates"]}, {"mode", "data"}),
        ({"stream_mode": "custom", "subgraphs": True}, {"namespace", "data"}),
        ({"stream_mode": ["updates", "custom"], "subgraphs": True}, {"mode", "namespace", "data"}),
        ({"stream_mode": ["updates"], "version": "v2"}, {"type", "ns", "data"}),
    ],
)
async def test_a_graph_s_chunks_say_their_mode_and_namespace(
    stream: dict[str, Any], keys: set[str] | None
) -> None:
    app = StreamApp([StreamRoute("/", counting(), format="chunks", astream_kwargs=stream)])
    *chunks, done = frames((await post(app, "/", {"words": []})).body)
    assert done == "[DONE]"
    if keys is None:
        assert chunks == [{"out": {"words": ["x"]}}]
    else:
        assert all(set(chunk) >= keys for chunk in chunks)
    if keys and "namespace" in keys:
        assert any(chunk["namespace"] and chunk["data"] == {"at": 1} for chunk in chunks)


@tool
async def search(query: str) -> str:
    """Finds."""
    return f"found {query}"


async def searches(state: MessagesState) -> dict[str, Any]:
    result = await search.ainvoke({"query": "secret input"})
    return {"messages": [AIMessage(result)]}


async def test_events_are_langchain_s_without_inner_inputs() -> None:
    app = StreamApp([StreamRoute("/", graph_of(searches, asks), format="events")])
    *events, done = frames((await post(app, "/", {"messages": "mine"})).body)
    assert done == "[DONE]"
    names = [event["event"] for event in events]
    assert names[0] == "on_chain_start"
    assert {"on_tool_start", "on_tool_end", "on_chat_model_stream"} <= set(names)
    assert set(events[0]) == {
        *("event", "name", "run_id", "parent_ids", "tags", "metadata", "data"),
    }
    assert events[0]["data"]["input"]["messages"][0]["content"] == "mine"
    inner = [event for event in events if event["parent_ids"]]
    assert inner
    assert all("input" not in event["data"] for event in inner)
    assert not any(key.startswith("__") for event in events for key in event["metadata"])


async def test_prompts_are_not_sent() -> None:
    app = StreamApp([StreamRoute("/", chain_of("x"), format="events")])
    *events, _ = frames((await post(app, "/", {"question": "q"})).body)
    prompts = [event for event in events if "_prompt_" in event["event"]]
    assert [event["data"] for event in prompts] == [{}] * len(prompts)
    assert len(prompts) >= 2


async def test_the_run_s_id_is_the_root_s_and_the_header_s() -> None:
    app = StreamApp([StreamRoute("/", chain_of("x"), format="events")])
    answer = await post(app, "/", ASK)
    assert frames(answer.body)[0]["run_id"] == answer.headers["x-run-id"]


class Failing(Runnable[Any, Any]):
    """Its stream does what the input says."""

    def invoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
        raise NotImplementedError

    async def astream(self, input: Any, config: Any = None, **kwargs: Any) -> AsyncIterator[Any]:
        yield "a"
        raise {
            "cancelled": asyncio.CancelledError,
            "exit": SystemExit,
            "interrupt": KeyboardInterrupt,
            "generator": GeneratorExit,
            "stop": StopIteration,
            "memory": MemoryError,
        }[input]


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("cancelled", "incomplete"),
        ("exit", "run_failed"),
        ("interrupt", "run_failed"),
        ("generator", "run_failed"),
        ("stop", "run_failed"),
        ("memory", "run_failed"),
    ],
)
async def test_whatever_is_raised_inside_is_an_error_frame(how: str, code: str) -> None:
    app = StreamApp([StreamRoute("/", Failing())])
    token, error, done = frames((await post(app, "/", how)).body)
    assert (token, error["error"]["code"], done) == ({"token": "a"}, code, "[DONE]")


@pytest.mark.parametrize("format", ["tokens", "chunks", "events"])
async def test_a_cancellation_that_langchain_swallows_is_incomplete(format: str) -> None:
    async def cancels(value: Any) -> Any:
        raise asyncio.CancelledError

    app = StreamApp([StreamRoute("/", RunnableLambda(cancels), format=format)])
    answer = await post(app, "/", 1)
    assert answer.status == 500
    assert b'"incomplete"' in answer.body


@pytest.mark.parametrize(
    ("name", "expected"), [("a model of text that is mute", []), ("a fallback", ["Hello"])]
)
async def test_the_corpus_s_odd_models_have_tokens_too(name: str, expected: list[str]) -> None:
    runnable, input = RUNS[name]
    app = StreamApp([StreamRoute("/", runnable)])
    assert tokens((await post(app, "/", input)).body) == expected


def test_a_graph_is_known_however_it_is_wrapped() -> None:
    graph = graph_of(asks)
    assert graphs.graph_of(graph.with_retry()) is graphs.graph_of(graph) is graph
    assert graphs.graph_of(MODEL) is None

"""Recorded runs of real chains and graphs, in the neutral vocabulary."""

from __future__ import annotations

import asyncio
import operator
from asyncio import Task
from collections.abc import AsyncIterator, Set
from typing import Annotated, Any, TypedDict

from langchain_core.callbacks import adispatch_custom_event
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import (
    ChatGeneration,
    ChatGenerationChunk,
    ChatResult,
    GenerationChunk,
)
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableLambda, RunnableParallel
from langchain_core.tools import tool
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, interrupt

from asgi_stream import formats
from asgi_stream._langchain.plan import RunnablePlan, plan_of
from asgi_stream._langchain.run import Run
from asgi_stream._langchain.run_request import RunRequest
from asgi_stream._langchain.tasks import RunTasks
from asgi_stream.events import ALL_EVENTS, Event, LangChainEvent, OutputChunk, RunError, Step

from .models import AtOnce, Plain, Scripted, chain_of

OPENAI = {"model_provider": "openai"}
ANTHROPIC = {"model_provider": "anthropic"}


def chunk(content: Any = "", **more: Any) -> AIMessageChunk:
    return AIMessageChunk(content=content, **more)


def call(index: Any, args: str = "", name: str | None = None, id: str | None = None) -> Any:
    return chunk(tool_call_chunks=[tool_call_chunk(name=name, args=args, id=id, index=index)])


def anthropic(**block: Any) -> AIMessageChunk:
    return chunk([block], response_metadata=ANTHROPIC)


class Answers(BaseChatModel):
    """Answers with each of its messages in turn, in one piece."""

    messages: list[AIMessage]

    @property
    def _llm_type(self) -> str:
        return "answers"

    def _generate(self, messages: Any, *_: Any, **__: Any) -> ChatResult:
        answered = sum(isinstance(message, AIMessage) for message in messages)
        return ChatResult(generations=[ChatGeneration(message=self.messages[answered])])


class Finds(BaseRetriever):
    """Finds a page of the web, twice, and a file."""

    def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
        page = Document("x", metadata={"source": "https://example.com/a", "title": "A"})
        return [page, page, Document("y", metadata={"source": "/srv/private/notes.pdf"})]


@tool
async def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


@tool
async def breaks(a: int) -> int:
    """Breaks."""
    raise ValueError("secret")


@tool
async def asks(a: int) -> str:
    """Asks a person."""
    return str(interrupt("May I?"))


@tool
async def moves(a: int) -> Any:
    """Changes the graph's state."""
    return Command(update={"messages": [ToolMessage("moved", tool_call_id="c1")]})


def graph_of(model: Any, *tools: Any, handle: Any = True) -> Runnable[Any, Any]:
    """A model, its tools, the model again."""

    async def asks(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    built = StateGraph(MessagesState).add_node("model", asks).add_edge(START, "model")
    if tools:
        built.add_node("tools", ToolNode([*tools], handle_tool_errors=handle))
        built.add_node("again", asks)
        built.add_edge("model", "tools").add_edge("tools", "again")
    return built.compile()


def calling(*calls: tuple[str, dict[str, Any]], then: str = "Done.") -> Answers:
    made: list[Any] = [
        {"name": name, "args": args, "id": f"c{n}"} for n, (name, args) in enumerate(calls, 1)
    ]
    return Answers(messages=[AIMessage("", tool_calls=made), AIMessage(then)])


class State(TypedDict):
    words: Annotated[list[str], operator.add]


async def tells(state: State) -> State:
    get_stream_writer()({"percent": 10})
    await adispatch_custom_event("progress", {"percent": 20})
    return {"words": ["told"]}


async def asks_a_person(state: State) -> State:
    return {"words": [interrupt("Shall I?")]}


def two_nodes(first: Any, second: Any) -> Runnable[Any, Any]:
    built = StateGraph(State).add_node("one", first).add_node("two", second)
    return built.add_edge(START, "one").add_edge(START, "two").compile()


async def speaks(state: State) -> State:
    return {"words": [(await Scripted(script=["a", "b"]).ainvoke("x")).text]}


async def calls_a_tool(value: Any) -> Any:
    return await add.ainvoke({"a": 1, "b": 2})


class Types(Plain):
    """A model of text that streams, and may tell of it."""

    tells: bool = True

    async def _astream(
        self, prompt: str, stop: Any = None, run_manager: Any = None, **_: Any
    ) -> AsyncIterator[GenerationChunk]:
        for word in ("plain ", "text"):
            if self.tells:
                await run_manager.on_llm_new_token(word)
            yield GenerationChunk(text=word)


class Mute(Plain):
    """A model of text that has nothing to say."""

    def _call(self, *_: Any, **__: Any) -> str:
        return ""


V1 = {"output_version": "v1"}
RUNNING: set[Task[Any]] = set()


async def leaves_a_model(state: State) -> State:
    """Does not wait for a model that it has begun to ask."""
    speaking = asyncio.Event()

    class Slow(Scripted):
        async def _astream(self, *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
            yield ChatGenerationChunk(message=chunk("a"))
            yield ChatGenerationChunk(message=call(0, "{}", "add", "c1"))
            speaking.set()
            await asyncio.sleep(0.05)

    task = asyncio.create_task(Slow(script=[]).ainvoke("x"))
    RUNNING.add(task)
    task.add_done_callback(RUNNING.discard)
    await speaking.wait()
    return {"words": ["left"]}


THINKS = [
    anthropic(type="thinking", thinking="Hm", index=0),
    anthropic(type="thinking", thinking="m.", index=0),
    anthropic(type="text", text="I ", index=1),
    anthropic(type="text", text="know.", index=1),
    anthropic(type="tool_use", id="t1", name="add", input={}, index=2),
    anthropic(type="input_json_delta", partial_json='{"a": 1,', index=2),
    anthropic(type="input_json_delta", partial_json=' "b": 2}', index=2),
    chunk(response_metadata={"stop_reason": "tool_use"}),
]
# What langchain-anthropic adds to each chunk of a call.
THINKS[4].tool_call_chunks = [tool_call_chunk(name="add", args="", id="t1", index=2)]
THINKS[5].tool_call_chunks = [tool_call_chunk(args='{"a": 1,', index=2)]
THINKS[6].tool_call_chunks = [tool_call_chunk(args=' "b": 2}', index=2)]

CITED = {
    "type": "web_search_result_location",
    "url": "https://example.com/b",
    "title": "B",
    "cited_text": "So it is.",
}
USAGE: Any = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
END = chunk(
    response_metadata={"finish_reason": "length", "model_name": "m-1"}, usage_metadata=USAGE
)
FAILS = Scripted(script=["Hal", ValueError("secret")])

RUNS: dict[str, tuple[Any, Any]] = {
    "a chain": (chain_of("Hel", "lo"), {"question": "?"}),
    "a chat model": (Scripted(script=["Hel", "lo", END]), "?"),
    "a model of text": (Plain(), "?"),
    "a model of text that streams": (Types(), "?"),
    "a model of text that does not tell": (Types(tells=False), "?"),
    "a model of text that is mute": (Mute(), "?"),
    "a model that is left running": (two_nodes(leaves_a_model, tells), {"words": []}),
    "a model that does not stream": (AtOnce(says="Hello"), "?"),
    "no model": (RunnableLambda(str.upper), "hello"),
    "no model and no text": (RunnableLambda(lambda x: {"x": x}), "hello"),
    "nothing": (RunnableLambda(lambda x: ""), "hello"),
    "thinking as Anthropic's": (Scripted(script=THINKS), "?"),
    "thinking of nobody's": (
        Scripted(script=[chunk([{"type": "thinking", "thinking": "Hm."}]), "Yes."]),
        "?",
    ),
    "thinking as DeepSeek's": (
        Scripted(script=[chunk(additional_kwargs={"reasoning_content": "Hm."}), "Yes."]),
        "?",
    ),
    "thinking as OpenAI's": (
        Scripted(
            script=[
                chunk(
                    [
                        {
                            "type": "reasoning",
                            "summary": [{"type": "summary_text", "text": "Hm.", "index": 0}],
                            "index": 0,
                        }
                    ],
                    response_metadata=OPENAI,
                ),
                chunk([{"type": "text", "text": "Yes.", "index": 1}], response_metadata=OPENAI),
            ]
        ),
        "?",
    ),
    "thinking as Google's": (
        Scripted(
            script=[
                chunk(
                    [{"type": "thinking", "thinking": "Hm."}],
                    response_metadata={"model_provider": "google_genai"},
                ),
                "Yes.",
            ]
        ),
        "?",
    ),
    "a citation": (
        Scripted(
            script=[
                anthropic(type="text", text="So.", index=0),
                anthropic(type="text", citations=[CITED], index=0),
            ]
        ),
        "?",
    ),
    "an image": (
        AtOnce(says=[{"type": "image", "base64": "AAAA", "mime_type": "image/png"}]),
        "?",
    ),
    "a file at a URL": (
        AtOnce(
            says=[
                {"type": "file", "url": "https://example.com/a"},
                {"type": "text", "text": "See."},
            ]
        ),
        "?",
    ),
    "a tool of the provider's": (
        Scripted(
            script=[
                chunk(
                    [
                        {
                            "type": "server_tool_call",
                            "id": "s1",
                            "name": "search",
                            "args": {"q": "x"},
                        }
                    ],
                    response_metadata=V1,
                ),
                chunk(
                    [
                        {
                            "type": "server_tool_result",
                            "tool_call_id": "s1",
                            "status": "success",
                            "output": {"n": 1},
                        }
                    ],
                    response_metadata=V1,
                ),
                chunk(
                    [
                        {
                            "type": "server_tool_result",
                            "tool_call_id": "s1",
                            "status": "error",
                            "output": "x",
                        }
                    ],
                    response_metadata=V1,
                ),
                chunk([{"type": "text", "text": "Found."}], response_metadata=V1),
            ]
        ),
        "?",
    ),
    "two calls at once": (
        Scripted(
            script=[
                "Let me.",
                call(1, "", "add", "c1"),
                call(1, '{"a":'),
                call(2, '{"a": 3, "b": 4}', "add", "c2"),
                call(1, " 1}"),
            ]
        ),
        "?",
    ),
    "calls that nobody counts": (
        Scripted(
            script=[
                call(None, '{"a"', "add", "c1"),
                call(None, ": 1}"),
                call(None, "{}", "add", "c2"),
            ]
        ),
        "?",
    ),
    "a call without an id": (Scripted(script=[call(0, '{"a": 1}', "add")]), "?"),
    "one index for two calls": (
        Scripted(script=[call(0, '{"a": 1}', "add", "c1"), call(0, '{"a": 2}', "add", "c2")]),
        "?",
    ),
    "arguments that are no JSON": (Scripted(script=[call(0, '{"a": ', "add", "c1")]), "?"),
    "a call beside its blocks": (
        Scripted(
            script=[
                chunk(
                    [{"type": "text", "text": "a", "annotations": [{"type": "x"}]}],
                    response_metadata=V1,
                    tool_call_chunks=[tool_call_chunk(name="add", args="{}", id="c1", index=0)],
                ),
                chunk([{"type": "reasoning", "reasoning": ""}], response_metadata=V1),
            ]
        ),
        "?",
    ),
    "text after a call": (Scripted(script=["a", call(0, "{}", "add", "c1"), "b"]), "?"),
    "an agent": (graph_of(calling(("add", {"a": 1, "b": 2})), add), {"messages": ["?"]}),
    "a tool that fails and is forgiven": (
        graph_of(calling(("breaks", {"a": 1})), breaks),
        {"messages": ["?"]},
    ),
    "a tool that fails": (
        graph_of(calling(("breaks", {"a": 1})), breaks, handle=False),
        {"messages": ["?"]},
    ),
    "a tool that gives a command": (
        graph_of(calling(("moves", {"a": 1})), moves),
        {"messages": ["?"]},
    ),
    "a tool that asks a person": (
        graph_of(calling(("asks", {"a": 1})), asks),
        {"messages": ["?"]},
    ),
    "a tool without a model": (RunnableLambda(calls_a_tool), "?"),
    "a tool alone": (add, {"a": 1, "b": 2}),
    "a fallback": (
        Scripted(script=[ValueError("secret")]).with_fallbacks([Scripted(script=["Hello"])]),
        "?",
    ),
    "two models at once": (
        RunnableParallel(x=Scripted(script=["a", "b"]), y=Scripted(script=["c", "d"])),
        "?",
    ),
    "two nodes at once": (two_nodes(speaks, speaks), {"words": []}),
    "a model that is not streamed": (
        graph_of(Scripted(script=["a"]).with_config(tags=["nostream"])),
        {"messages": ["?"]},
    ),
    "documents": (Finds(), "?"),
    "custom events": (two_nodes(tells, speaks), {"words": []}),
    "a question": (two_nodes(asks_a_person, speaks), {"words": []}),
    "a failure": (FAILS, "?"),
}


class Recording:
    """A sink that keeps all."""

    waiting_since: float | None = None

    def __init__(self, wants: Set[type[Event]]) -> None:
        self.wants = wants
        self.full = False
        self.taken = 0
        self.events: list[Event] = []
        self.ended = asyncio.Event()

    def accepts(self, step: Step) -> bool:
        return True

    def admits(self, event: Event) -> bool:
        return True

    def public_message(self, failure: BaseException) -> str:
        return "The tool failed."

    async def room(self) -> None: ...

    def alive(self) -> None: ...

    def put(self, event: Event) -> None:
        self.events.append(event)
        if type(event).__name__ == "RunFinished":
            self.ended.set()

    def fail(self, exception: BaseException) -> None:
        self.events.append(RunError("run_failed", "The run failed.", "id"))
        self.ended.set()


async def record(
    runnable: Any, input: Any, wants: Set[type[Event]], stream: Any = None
) -> list[Event]:
    sink = Recording(wants)
    tasks = RunTasks()
    request = RunRequest(
        plan=runnable if isinstance(runnable, RunnablePlan) else plan_of(runnable),
        input=input,
        format=formats.load("tokens")(),
        astream_kwargs=stream or {},
    )
    Run(request, sink=sink, grace=1, tasks=tasks)
    async with asyncio.timeout(10):
        await sink.ended.wait()
        if tasks:
            await asyncio.wait(tasks)
    return sink.events


async def narrated(name: str) -> list[Event]:
    return await record(*RUNS[name], ALL_EVENTS | {OutputChunk})


async def as_langchain_tells(name: str) -> list[Event]:
    return await record(*RUNS[name], frozenset({LangChainEvent}))

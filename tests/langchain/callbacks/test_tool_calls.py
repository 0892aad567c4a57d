"""Tool calls that are not for the client, and answers that belong to no call."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.types import Command, Send
from pydantic import BaseModel

from asgi_stream._langchain.callbacks.graph_messages import answer_of, calls_in
from asgi_stream._langchain.callbacks.tool_calls import ToolCalls
from asgi_stream.events import (
    Event,
    Step,
    ToolCalled,
    ToolCallResumed,
    ToolCallStarted,
    ToolFailed,
    ToolFinished,
)

from ...corpus import Recording

MODEL = Step("m", "model", "chat_model")
TOOL = Step("t", "add", "tool")
NODE = Step("n", "tools", "chain", ("graph:step:2",), "tools")
PIECE: Any = {"index": 0, "id": "c", "name": "add", "args": "{}"}


class Picky(Recording):
    """Admits no tool of that name."""

    def __init__(self, hidden: str) -> None:
        super().__init__(frozenset())
        self.hidden = hidden

    def admits(self, event: Event) -> bool:
        return getattr(event, "name", None) != self.hidden


def test_a_hidden_call_is_hidden_to_its_end() -> None:
    sink = Picky("add")
    calls = ToolCalls(sink, sink.put)
    calls.add_chunk(MODEL, PIECE)
    calls.finish(MODEL, [{"id": "c", "name": "add", "args": {}}])
    calls.tool_started(TOOL, "c", {})
    calls.tool_ended(TOOL, 3)
    calls.add(MODEL, {"id": "s", "name": "add", "args": {}, "type": "server_tool_call"})
    calls.add_hosted_result(MODEL, {"tool_call_id": "s", "output": 1})
    assert sink.events == []


@pytest.mark.parametrize("text", ['{"a": "\ud83d"}', r'{"a": "\ud83d"}'])
def test_half_an_emoji_is_no_fault_of_the_arguments(text: str) -> None:
    sink = Picky("")
    calls = ToolCalls(sink, sink.put)
    calls.add_chunk(MODEL, {**PIECE, "args": text})
    calls.finish(MODEL, [])
    [called] = [event for event in sink.events if isinstance(event, ToolCalled)]
    assert (called.arguments, called.valid) == ({"a": "\ufffd"}, True)


def test_an_empty_id_is_the_id_of_a_call_too() -> None:
    sink = Picky("")
    calls = ToolCalls(sink, sink.put)
    calls.add(MODEL, {"id": "", "name": "add", "args": {}})
    calls.tool_started(TOOL, "", {})
    calls.tool_ended(TOOL, 3)
    calls.tool_started(Step("u", "add", "tool"), None, {})  # which no model has called
    started = [event.call_id for event in sink.events if isinstance(event, ToolCallStarted)]
    [finished] = [event for event in sink.events if isinstance(event, ToolFinished)]
    assert started == ["m-call-1", "u"]
    assert finished.call_id == "m-call-1"


@pytest.mark.parametrize("first", [None, ""])
def test_an_id_may_come_after_the_name(first: str | None) -> None:
    sink = Picky("")
    calls = ToolCalls(sink, sink.put)
    calls.add_chunk(MODEL, {**PIECE, "id": first, "args": ""})
    calls.add_chunk(MODEL, {"index": 0, "id": "c", "name": None, "args": "{}"})
    calls.finish(MODEL, [{"id": "c", "name": "add", "args": {}}])
    calls.message(NODE, ToolMessage("no call", tool_call_id=""))
    calls.message(NODE, ToolMessage("3", tool_call_id="c"))
    [finished] = [event for event in sink.events if isinstance(event, ToolFinished)]
    assert (finished.call_id, finished.output) == ("m-call-1", "3")


def test_an_answer_belongs_to_its_own_call() -> None:
    sink = Picky("")
    calls = ToolCalls(sink, sink.put)
    calls.add_chunk(MODEL, {**PIECE, "type": "server_tool_call_chunk"})
    calls.add_chunk(MODEL, {**PIECE, "index": 1, "id": "d", "name": "sub"})
    calls.add_hosted_result(MODEL, {"tool_call_id": "nobody", "output": 1})
    calls.add_hosted_result(MODEL, {"tool_call_id": "d", "output": 2})
    kinds: list[Any] = [type(event) for event in sink.events if not hasattr(event, "text")]
    assert kinds == [ToolCallStarted, ToolCallStarted, ToolCalled, ToolFinished]
    assert sink.events[-1] == ToolFinished(Step("m", "sub", "tool"), "d", "sub", 2)


@pytest.mark.parametrize("model_id", [None, ""])
def test_a_name_begins_another_call_of_a_model_that_does_not_count_them(model_id: Any) -> None:
    sink = Recording(frozenset())
    calls = ToolCalls(sink, sink.put)
    for name, text in (("add", '{"a"'), (None, ":1}"), ("add", ""), (None, '{"a":2}')):
        calls.add_chunk(MODEL, {"index": None, "id": model_id, "name": name, "args": text})
    whole = [{"id": model_id, "name": "add", "args": {"a": n}} for n in (1, 2)]
    calls.finish(MODEL, whole)
    called = [(each.name, each.arguments) for each in sink.events if isinstance(each, ToolCalled)]
    assert called == [("add", {"a": 1}), ("add", {"a": 2})]
    begun = [each.call_id for each in sink.events if isinstance(each, ToolCallStarted)]
    assert begun == ["m-call-1", "m-call-2"]


def test_an_id_that_comes_late_belongs_to_the_last_call() -> None:
    sink = Recording(frozenset())
    calls = ToolCalls(sink, sink.put)
    for id_, name, text in ((None, "add", ""), ("c", None, "{"), ("c", None, "}")):
        calls.add_chunk(MODEL, {"index": None, "id": id_, "name": name, "args": text})
    calls.finish(MODEL, [{"id": "c", "name": "add", "args": {}}])
    calls.tool_started(TOOL, "c", {})
    calls.tool_ended(TOOL, 3)
    assert sink.events[-1] == ToolFinished(TOOL, "m-call-1", "add", 3)
    assert [each for each in sink.events if isinstance(each, ToolCalled)] == [
        ToolCalled(Step("m", "add", "tool"), "m-call-1", "add", {})
    ]


@pytest.mark.parametrize("arguments", [None, {}])
def test_a_tool_without_arguments_is_called_with_none(arguments: Any) -> None:
    sink = Picky("")
    ToolCalls(sink, sink.put).tool_started(TOOL, None, arguments)
    assert sink.events[-1] == ToolCalled(TOOL, "t", "add", {})


class Update(BaseModel):
    """A state update that is a class."""

    messages: list[Any]
    secret: str = "TOPSECRET"


class Open(BaseModel, extra="allow"):
    """Fields that nobody has declared."""


@dataclass(slots=True)
class Wrapped:
    """What a tool may return for its code."""

    inner: Any


class Own(Command[Any]):
    """A kind of command of somebody's own."""


MESSAGE = ToolMessage("it is 3", tool_call_id="c", artifact="TOPSECRET")
OTHER = ToolMessage("it is 4", tool_call_id="d")
STATE = {"messages": [OTHER, MESSAGE], "secret": "TOPSECRET"}


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        (3, 3),
        ([1, 2], [1, 2]),
        ({"update": 1}, {"update": 1}),
        (MESSAGE, "it is 3"),
        ([OTHER, MESSAGE], "it is 3"),
        ([OTHER], None),
        (Command(update=STATE), "it is 3"),
        (Command(update=list(STATE.items())), "it is 3"),
        (Command(update=Update(messages=[MESSAGE])), "it is 3"),
        (Command(update={"secret": "TOPSECRET"}), None),
        ([Command(update=STATE), Command(goto="bob")], "it is 3"),
        ((Command(goto="bob"), MESSAGE), "it is 3"),
        (Command(goto=[Send("bob", STATE)], graph=Command.PARENT), None),
        (Command(goto="bob", graph=Command.PARENT), None),
        (Command(resume="TOPSECRET"), None),
        ([Send("bob", STATE)], None),
        (STATE, "it is 3"),
        ({"messages": [OTHER]}, None),
        ({"command": Command(update=STATE)}, "it is 3"),
        (Wrapped(Command(update={"secret": "TOPSECRET"})), None),
        (Wrapped([deque([MESSAGE])]), "it is 3"),
        (Wrapped({"a": [1, "b"]}), Wrapped({"a": [1, "b"]})),
        (Open.model_validate({"command": Command(update=STATE)}), "it is 3"),
        (Own(update=STATE), "it is 3"),
        (AIMessage("TOPSECRET"), None),
        (Document("yes"), Document("yes")),
    ],
)
def test_of_what_a_tool_returns_the_client_sees_the_answer_only(output: Any, answer: Any) -> None:
    sink = Recording(frozenset())
    calls = ToolCalls(sink, sink.put)
    calls.add_chunk(MODEL, PIECE)
    calls.finish(MODEL, [{"id": "c", "name": "add", "args": {}}])
    calls.tool_started(TOOL, "c", {})
    calls.tool_ended(TOOL, output)
    assert sink.events[-1] == ToolFinished(TOOL, "c", "add", answer)


def test_what_holds_itself_is_looked_through_once() -> None:
    knot: list[Any] = [1]
    knot.append(knot)
    assert answer_of(knot, "c") is knot


def test_calls_are_found_in_a_node_s_input() -> None:
    call = {"type": "tool_call", "id": "c", "name": "add", "args": {}}
    assert list(calls_in([call, {"type": "tool_call", "id": None}, "x", {"type": "x"}])) == [call]
    assert list(calls_in({"__type": "tool_call_with_context", "tool_call": call})) == [call]


def test_a_hosted_tool_may_fail() -> None:
    sink = Recording(frozenset())
    calls = ToolCalls(sink, sink.put)
    calls.add(MODEL, {"id": "s", "name": "add", "args": {}, "type": "server_tool_call"})
    calls.add_hosted_result(MODEL, {"tool_call_id": "s", "output": "no", "status": "error"})
    calls.add_hosted_result(MODEL, {"tool_call_id": "unknown", "output": "no"})
    assert isinstance(sink.events[-1], ToolFailed)


def test_what_a_tool_in_a_graph_has_returned_waits_for_its_message_or_the_end() -> None:
    sink = Recording(frozenset())
    calls = ToolCalls(sink, sink.put)
    calls.add_chunk(MODEL, PIECE)
    calls.finish(MODEL, [{"id": "c", "name": "add", "args": {}}])
    tool = Step("t", "add", "tool", (), "tools", namespace="tools:1")
    calls.tool_started(tool, "c", {})
    calls.tool_ended(tool, 3)
    calls.message(NODE, ToolMessage("of another call", tool_call_id="x"))
    calls.settle(replace(NODE, namespace="another:2"))
    assert not any(isinstance(event, ToolFinished) for event in sink.events)
    calls.conclude()
    calls.message(NODE, ToolMessage("too late", tool_call_id="c"))
    calls.conclude()
    finished = [event for event in sink.events if isinstance(event, ToolFinished)]
    assert finished == [ToolFinished(tool, "c", "add", 3)]


def test_a_call_of_the_history_is_answered_once_and_an_answered_one_not_again() -> None:
    sink = Recording(frozenset())
    calls = ToolCalls(sink, sink.put)
    for id_ in ("open", "answered"):
        calls.add_history({"id": id_, "name": "add", "args": {"a": 1}})
    calls.add_history({"id": None, "name": "add", "args": {}})
    calls.answer_history("answered")
    calls.answer_history("unknown")
    for id_ in ("open", "answered", "open"):
        calls.message(NODE, ToolMessage("3", tool_call_id=id_))
    step = Step("n", "add", "tool", NODE.tags, "tools")
    assert sink.events == [
        ToolCallResumed(step, "open", "add", {"a": 1}),
        ToolFinished(step, "open", "add", "3"),
    ]
    # A tool that is run for one that has its answer is run for a new call.
    calls.tool_started(TOOL, "answered", {})
    assert sink.events[2] == ToolCallStarted(TOOL, "answered-2", "add")


def test_a_tool_that_goes_on_after_the_run_has_no_second_answer() -> None:
    sink = Recording(frozenset())
    calls = ToolCalls(sink, sink.put)
    calls.tool_started(TOOL, "c", {})
    calls.conclude()
    calls.tool_ended(TOOL, 3)
    answers = [each for each in sink.events if isinstance(each, ToolFailed | ToolFinished)]
    assert answers == [ToolFailed(TOOL, "c", "add", "The tool failed.")]


def finished(sink: Recording) -> list[tuple[str, Any]]:
    return [
        (event.call_id, event.output) for event in sink.events if isinstance(event, ToolFinished)
    ]


def started(sink: Recording) -> list[str]:
    return [event.call_id for event in sink.events if isinstance(event, ToolCallStarted)]


IN_MODEL = replace(MODEL, node="llm", namespace="llm:1")
IN_TOOLS = replace(TOOL, node="tools", namespace="tools:2")
OSLO = {"city": "Oslo"}


def called(*ids: str, arguments: Any = OSLO) -> tuple[ToolCalls, Picky]:
    """The calls that a model in a graph has made."""
    sink = Picky("")
    calls = ToolCalls(sink, sink.put)
    calls.finish(IN_MODEL, [{"id": id_, "name": "add", "args": arguments} for id_ in ids])
    return calls, sink


@pytest.mark.parametrize("arguments", [OSLO, {**OSLO, "state": 1}, None])
def test_code_may_run_a_tool_for_a_call_with_its_arguments_only(arguments: Any) -> None:
    calls, sink = called("c1", "c2")
    for run_id in ("t1", "t2"):
        calls.tool_started(replace(IN_TOOLS, run_id=run_id), None, arguments)
        calls.tool_ended(replace(IN_TOOLS, run_id=run_id), run_id)
    for id_ in ("c2", "c1"):
        calls.message(
            replace(NODE, namespace="tools:2"), ToolMessage(f"of {id_}", tool_call_id=id_)
        )
    assert started(sink) == ["c1", "c2"]
    assert finished(sink) == [("c2", "of c2"), ("c1", "of c1")]


def test_code_that_runs_a_tool_again_makes_no_call_either() -> None:
    calls, sink = called("c1")
    for output in (ValueError("busy"), 3):
        calls.tool_started(IN_TOOLS, None, OSLO)
        calls.tool_ended(IN_TOOLS, output)
    calls.settle(replace(NODE, namespace="tools:2"))
    assert (started(sink), finished(sink)) == (["c1"], [("c1", 3)])


@pytest.mark.parametrize(
    ("step", "arguments"),
    [
        (IN_TOOLS, {"city": "Rome"}),
        (IN_TOOLS, {"town": "Oslo"}),
        (IN_TOOLS, {}),
        (replace(IN_TOOLS, name="look"), OSLO),
        (replace(IN_TOOLS, namespace="outer:1|tools:2"), OSLO),
    ],
)
def test_other_tools_that_code_runs_are_calls_of_their_own(step: Step, arguments: Any) -> None:
    calls, sink = called("c1")
    calls.tool_started(step, None, arguments)
    calls.tool_ended(step, 3)
    assert (started(sink), finished(sink)) == (["c1", "t"], [("t", 3)])


def test_a_tool_that_is_running_is_not_run_for_another_step() -> None:
    calls, sink = called("c1")
    calls.tool_started(IN_TOOLS, "c1", OSLO)
    calls.tool_started(replace(IN_TOOLS, run_id="inner"), None, OSLO)
    assert started(sink) == ["c1", "inner"]


def test_a_model_s_arguments_may_be_no_json() -> None:
    sink = Picky("")
    calls = ToolCalls(sink, sink.put)
    calls.add_chunk(IN_MODEL, {**PIECE, "args": "[1"})
    calls.finish(IN_MODEL, [])
    calls.tool_started(IN_TOOLS, None, {})
    assert started(sink) == ["c", "t"]


@pytest.mark.parametrize(("arguments", "resumed"), [({}, True), (OSLO, False)])
def test_code_may_run_a_tool_for_a_call_of_the_history(arguments: Any, resumed: bool) -> None:
    sink = Picky("")
    calls = ToolCalls(sink, sink.put)
    calls.add_history({"id": "c0", "name": "add", "args": {}})
    calls.answer_history("c0")
    calls.add_history({"id": "c1", "name": "look", "args": arguments})
    calls.add_history({"id": "c2", "name": "add", "args": arguments if resumed else {"a": 1}})
    for _ in range(2):  # the tool fails, and is run again
        calls.tool_started(IN_TOOLS, None, arguments)
        calls.tool_ended(IN_TOOLS, ValueError("busy"))
    calls.message(replace(NODE, namespace="tools:2"), ToolMessage("3", tool_call_id="c2"))
    again = [event.call_id for event in sink.events if isinstance(event, ToolCallResumed)]
    assert (again, finished(sink)) == (["c2"], [("c2", "3")])
    assert started(sink) == ([] if resumed else ["t", "t-2"])

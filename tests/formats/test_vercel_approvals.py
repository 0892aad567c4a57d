"""Tool calls that wait for approval, as events, frames and parts of messages."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from asgi_stream.events import (
    Approval,
    Event,
    Interrupt,
    RunFinished,
    RunStarted,
    Step,
    ToolCalled,
    ToolCallResumed,
    ToolCallStarted,
    ToolFailed,
    ToolFinished,
)
from asgi_stream.formats import Answer, FormatRequest, Frame, RunSpec, ThreadView
from asgi_stream.formats._vercel.history import UNFINISHED
from asgi_stream.formats.vercel import VercelFormat
from asgi_stream.stores import ThreadRecord

from .script import RUN, TOOL, data, refused, wire

OURS = {"dynamic": True, "providerExecuted": True}
SCHEMA = {"discriminator": {"mapping": {"approve": "#/a"}}}
REQUESTS = [{"name": "add", "args": {"a": 1}, "description": "Shall I?"}]
BATCHED = {
    "action_requests": REQUESTS,
    "review_configs": [{"action_name": "add", "allowed_decisions": ["approve", "reject"]}],
}
PER_CALL = {
    **{"type": "tool_approval", "tool_call_id": "c", "name": "add"},
    **{"args": {"a": 1}, "description": ""},
}


def called(call_id: str, arguments: Any) -> list[Event]:
    return [
        ToolCallStarted(TOOL, call_id, "add", "m"),
        ToolCalled(TOOL, call_id, "add", arguments),
    ]


def asks(*approvals: Approval, schema: Any = None, value: Any = BATCHED) -> Event:
    return RunFinished(RUN, None, (Interrupt("i1", value, schema, approvals),))


def on_thread(*messages: Any, sdk_version: int = 6, **body: Any) -> VercelFormat:
    format = VercelFormat()
    chat = {"id": "chat", "messages": [user(), *messages], **body}
    format.parse(FormatRequest(body=chat, threads=True, sdk_version=sdk_version))
    return format


def user(id_: Any = "u1") -> dict[str, Any]:
    return {"id": id_, "role": "user", "parts": [{"type": "text", "text": "Hi"}]}


def answer(*parts: Any, id_: Any = "a1") -> dict[str, Any]:
    return {"id": id_, "role": "assistant", "parts": list(parts)}


def part(call: str = "c", state: str = "approval-responded", **approval: Any) -> dict[str, Any]:
    about = {"approval": {"id": call, "approved": True, **approval}}
    return {"type": "tool-add", "toolCallId": call, "state": state, "input": {}, **about}


def available(call_id: str, arguments: Any) -> dict[str, Any]:
    call = {"toolName": "add", "input": arguments, "toolCallId": call_id}
    return {"type": "tool-input-available", **call, **OURS}


def request(call_id: str, *allowed: str, **more: Any) -> dict[str, Any]:
    about = {"allowedDecisions": list(allowed), **more.pop("descriptor", {}), "interruptId": "i1"}
    ids = {"approvalId": call_id, "toolCallId": call_id}
    return {"type": "tool-approval-request", **ids, **more, "approvalDescriptor": about}


FINISH = {"type": "finish", "finishReason": "stop"}
STARTED = {"type": "tool-input-start", "toolName": "add"}
QUESTION = {"type": "data-interrupt", "id": "i1", "data": {"id": "i1", "value": BATCHED}}

CASES: list[tuple[list[Event], list[Any]]] = [
    (
        [*called("c", {"a": 1}), asks(Approval("c", "add", {"a": 1}, "Shall I?", ("approve",)))],
        [
            {**STARTED, "toolCallId": "c", **OURS},
            available("c", {"a": 1}),
            request("c", "approve", reason="Shall I?"),
        ],
    ),
    # In a subgraph, by name and arguments: each call once, in order, if it has no result.
    (
        [
            *called("x", {"a": 1}),
            ToolFinished(TOOL, "x", "add", 1),
            *called("c", {"a": 1}),
            *called("d", {"a": 1}),
            asks(Approval("", "add", {"a": 1}), Approval("", "add", {"a": 1})),
        ],
        [request("c"), request("d")],
    ),
    # None that is known: as any other interrupt, and no call is taken by half of it.
    (
        [
            *called("c", {"a": 1}),
            ToolFailed(TOOL, "c", "add", "No."),
            asks(Approval("", "add", {"a": 1})),
        ],
        [QUESTION],
    ),
    # Made by an earlier run.
    ([asks(Approval("c", "add", {"a": 1}))], [available("c", {"a": 1}), request("c")]),
    (
        [asks(Approval("c", "add", {}, "", ("approve",)), schema=SCHEMA)],
        [
            available("c", {}),
            request("c", "approve", descriptor={"responseSchema": SCHEMA}),
        ],
    ),
    ([RunFinished(RUN, None, (Interrupt("i1", BATCHED),))], [QUESTION]),
]


@pytest.mark.parametrize(("events", "last"), CASES)
def test_calls_that_wait_are_requests_for_approval(events: list[Event], last: list[Any]) -> None:
    assert wire(on_thread(), *events).endswith(data(*last, FINISH, done=True))


@pytest.mark.parametrize("version", [5, 6])
def test_without_threads_or_with_an_older_client_they_are_data(version: int) -> None:
    format = VercelFormat() if version == 6 else on_thread(sdk_version=version)
    events = [*called("c", {"a": 1}), asks(Approval("c", "add", {"a": 1}))]
    assert wire(format, *events).endswith(data(QUESTION, FINISH, done=True))


def test_a_rejected_call_is_denied() -> None:
    rejected = part(approved=False)
    results: list[Event] = [
        ToolCallResumed(TOOL, "c", "add", {}),
        ToolFailed(TOOL, "c", "add", "No."),
    ]
    denied = {"type": "tool-output-denied", "toolCallId": "c"}
    failed = {"type": "tool-output-error", "errorText": "No.", "toolCallId": "c", **OURS}
    again = available("c", {})
    start = {"type": "start", "messageId": "a1"}
    frames = wire(on_thread(answer(rejected)), RunStarted("r"), *results)
    assert frames == data(start, again, denied)
    assert wire(on_thread(answer(rejected), sdk_version=5), *results) == data(again, failed)
    assert wire(on_thread(answer(part())), *results) == data(again, failed)


@pytest.mark.parametrize(
    ("messages", "start"),
    [
        ([], {"messageId": "u1-answer"}),
        ([answer()], {"messageId": "a1"}),
        ([answer(id_=7)], {}),
        ([answer(), user("")], {"messageId": "r"}),
        ([answer(), user(7)], {"messageId": "r"}),
    ],
)
def test_the_id_of_an_answer_is_the_same_after_a_reload(messages: Any, start: Any) -> None:
    assert wire(on_thread(*messages), RunStarted("r")) == data({"type": "start", **start})


def spec_of(*messages: Any, threads: bool = True, **body: Any) -> RunSpec:
    chat = {"id": "chat", "messages": list(messages), **body}
    return VercelFormat().parse(FormatRequest(body=chat, threads=threads))


def approved(call: str, value: Any = None) -> Answer:
    return Answer(call=call, value=value or {"type": "approve"}, path=f"approvals.{call}")


def test_what_a_person_has_decided_is_an_answer() -> None:
    message = answer(
        part("c"),
        part("d", approved=False, reason="No."),
        part("e", approved=False, reason=1),
        part("done", "output-available"),
        part("automatic", isAutomatic=True),
        part("odd", approved="yes"),
        {**part("text"), "type": "text", "text": ""},
    )
    spec = spec_of(user(), message, trigger="submit-message")
    assert (spec.thread, spec.trigger) == ("chat", "submit-message")
    answers = [
        approved("c"),
        approved("d", {"type": "reject", "message": "No."}),
        approved("e", {"type": "reject"}),
    ]
    assert spec.answers == answers
    assert spec_of(user(), message, user("u2")).answers == []
    assert spec_of(user(), message, user("u2"), messageId="a1").answers == answers
    assert spec_of(user(), message, user("u2"), messageId="u1").answers == []
    assert spec_of(user(), message, trigger="regenerate-message").answers == []
    assert spec_of(user(), message, threads=False).answers == []


def test_fields_of_the_body_have_answers_too() -> None:
    edit = {"type": "edit", "edited_action": {"name": "add", "args": {}}}
    body: Any = {"decisions": {"c": edit, "x": 1}}
    decided = [
        Answer(call=call, value=body["decisions"][call], path=f"decisions.{call}") for call in "cx"
    ]
    assert spec_of(user(), answer(part("c"), part("d")), **body).answers == [
        approved("d"),
        *decided,
    ]
    assert spec_of(user(), resume=1).answers == [Answer(value=1)]
    id_ = "0" * 32
    assert spec_of(user(), resume={id_: 1}).answers == [
        Answer(interrupt=id_, value=1, path=f"resume.{id_}")
    ]
    assert refused(VercelFormat(), {"decisions": []}, threads=True) == "decisions"
    assert refused(VercelFormat(), {"decisions": {}}, threads=True) == "messages"
    spec: Any = VercelFormat().parse(FormatRequest(body={"resume": 1}, threads=True))
    assert spec.messages is None


def test_messages_of_a_thread_have_ids() -> None:
    system = {"id": "s", "role": "system", "parts": []}
    assert spec_of(system, user(), user(7), user("")).messages == [
        {"role": "system", "content": "", "id": "s"},
        {"role": "user", "content": "Hi", "id": "u1"},
        {"role": "user", "content": "Hi"},
        {"role": "user", "content": "Hi"},
    ]
    assert spec_of(user(), threads=False).messages == [{"role": "user", "content": "Hi"}]
    spec: Any = VercelFormat().parse(FormatRequest(body={"message": user()}, threads=True))
    assert spec.messages == [{"role": "user", "content": "Hi", "id": "u1"}]
    assert refused(VercelFormat(), {"message": user()}) == "messages"
    assert refused(VercelFormat(), {"message": 1}, threads=True) == "message"


IDS = "1" * 32, "2" * 32
ASKED, OTHER = [
    {"type": "data-interrupt", "id": each, "data": {"id": each, "value": "?"}} for each in IDS
]
ANSWERED = {**ASKED, "data": {"id": IDS[0], "value": "?", "answered": True}}
DECIDED = {"decisions": {"c": {"type": "approve"}}}


@pytest.mark.parametrize(
    ("parts", "version", "body", "sent"),
    [
        ([ASKED, OTHER], 6, {"resume": {IDS[0]: "yes"}}, [ANSWERED]),
        ([ASKED], 6, {"resume": "yes"}, [ANSWERED]),
        ([ANSWERED, OTHER], 6, {"resume": {IDS[0]: "yes"}}, []),
        ([ASKED], 5, DECIDED, [ANSWERED]),
        ([ASKED, part()], 6, DECIDED, []),
        ([{**ASKED, "data": None}, {**ASKED, "id": 1}], 6, {"resume": "yes"}, []),
    ],
)
def test_an_answered_question_is_marked_in_the_message(
    parts: list[Any], version: int, body: Any, sent: list[Any]
) -> None:
    format = on_thread(answer(*parts), sdk_version=version, **body)
    started = {"type": "start", "messageId": "a1"}
    assert format.encode(RunStarted("r")).decode() == data(started, *sent)


def test_a_client_of_this_package_is_not_asked_again_what_is_answered() -> None:
    decoder = VercelFormat()
    parts = ANSWERED, OTHER, {"type": "finish"}
    frames = [Frame("", json.dumps(each)) for each in parts] + [Frame("", "[DONE]")]
    *_, end = [event for each in frames for event in decoder.decode(each)]
    assert isinstance(end, RunFinished)
    assert [each.id for each in end.interrupts] == [IDS[1]]


@pytest.mark.parametrize(("schema", "value"), [(None, BATCHED), (SCHEMA, PER_CALL)])
def test_a_client_of_this_package_gets_the_interrupts(schema: Any, value: Any) -> None:
    text = "" if schema else "Shall I?"
    allowed = ("approve",) if schema else ("approve", "reject")
    approvals = (Approval("c", "add", {"a": 1}, text, allowed),)
    other = Interrupt("i2", 1, {"type": "integer"})
    finished = RunFinished(RUN, None, (Interrupt("i1", value, schema, approvals), other))
    frames = wire(on_thread(), *called("c", {"a": 1}), finished).split("\n\n")
    decoder = VercelFormat()
    events = [event for each in frames if each for event in decoder.decode(Frame("", each[6:]))]
    end: Any = events[-1]
    assert list(end.interrupts) == [other, Interrupt("i1", value, schema, approvals)]


def test_parts_of_another_server_are_decoded_as_far_as_they_go() -> None:
    decoder = VercelFormat()
    parts = [
        '{"type":"tool-output-denied","toolCallId":"c"}',
        '{"type":"tool-new","toolCallId":"c"}',
        '{"type":"tool-approval-request","toolCallId":"d","approvalId":"d"}',
        "[DONE]",
    ]
    failed, end = [event for each in parts for event in decoder.decode(Frame("", each))]
    step = Step("", "", "tool")
    assert failed == ToolFailed(step, "c", "", "The user denied this tool call.")
    assert isinstance(end, RunFinished)
    assert [each.approvals for each in end.interrupts] == [(Approval("d", "", None),)]


# A thread as messages.

RECORD = ThreadRecord(thread_id="t", scope="", route="/chat", created=0.0, updated=60.0)


def ai(*content: Any, calls: Any = (), id_: Any = "m1") -> dict[str, Any]:
    return {"role": "assistant", "id": id_, "content": list(content), "tool_calls": list(calls)}


def human(*content: Any, id_: Any = "u1") -> dict[str, Any]:
    return {"role": "user", "id": id_, "content": list(content)}


def result(call_id: str, content: Any, status: str = "success") -> dict[str, Any]:
    ids = {"role": "tool", "id": "r", "tool_call_id": call_id}
    return {**ids, "content": content, "status": status}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def chat_of(
    *messages: Any,
    interrupts: Any = (),
    sdk_version: int = 6,
    record: ThreadRecord = RECORD,
) -> list[Any]:
    format = VercelFormat()
    format.thread_query("show", FormatRequest(threads=True, sdk_version=sdk_version))
    view = ThreadView(record, None, messages, interrupts)
    document: Any = format.thread_document("show", view)
    assert document["id"] == "t"
    chat: list[Any] = document["messages"]
    return chat


CALL = {"id": "c", "name": "add", "args": {"a": 1}}
TOOL_PART = {
    **{"type": "dynamic-tool", "toolName": "add", "toolCallId": "c", "input": {"a": 1}},
    "providerExecuted": True,
}
STEP = {"type": "step-start"}


def test_all_between_two_messages_of_the_user_is_one_message() -> None:
    image = {"type": "image", "url": "data:x", "mime_type": "image/png", "extras": None}
    file = {"type": "file", "url": "http://x", "mime_type": "a/b", "filename": "f"}
    chat = chat_of(
        ai(text("Welcome."), id_="m0"),
        human(text("Hi"), image, file),
        ai({"type": "reasoning", "reasoning": "Hm."}, text("I add."), calls=[CALL]),
        result("c", 3),
        result("other", 3),
        ai(text("It is 3."), image),
        human(text("Bye"), id_=None),
        ai(text("Bye."), id_="m9"),
    )
    done = {"state": "done"}
    picture = {"type": "file", "mediaType": "image/png", "url": "data:x"}
    document = {"type": "file", "mediaType": "a/b", "url": "http://x", "filename": "f"}
    assert chat == [
        {"id": "m0", "role": "assistant", "parts": [STEP, {**text("Welcome."), **done}]},
        {"id": "u1", "role": "user", "parts": [text("Hi"), picture, document]},
        {
            **{"id": "u1-answer", "role": "assistant"},
            "parts": [
                STEP,
                {"type": "reasoning", "text": "Hm.", **done},
                {**text("I add."), **done},
                {**TOOL_PART, "state": "output-available", "output": 3},
                STEP,
                {**text("It is 3."), **done},
                picture,
            ],
        },
        {"id": None, "role": "user", "parts": [text("Bye")]},
        {"id": "m9", "role": "assistant", "parts": [STEP, {**text("Bye."), **done}]},
    ]


def test_the_tools_of_a_provider_are_parts_too() -> None:
    searches = {"type": "server_tool_call", **CALL}
    finds = {"type": "server_tool_result", "tool_call_id": "c", "output": 3}
    for status, state in (
        ("success", {"state": "output-available", "output": 3}),
        ("error", {"state": "output-error", "errorText": "3"}),
    ):
        [_, message] = chat_of(human(), ai(searches, {**finds, "status": status}))
        assert message["parts"] == [STEP, {**TOOL_PART, **state}]


def test_a_failed_call_and_one_that_never_ran() -> None:
    other = {**CALL, "id": "d"}
    [_, message] = chat_of(human(), ai(calls=[CALL, other]), result("c", "No.", "error"))
    assert message["parts"] == [
        STEP,
        {**TOOL_PART, "state": "output-error", "errorText": "No."},
        {**TOOL_PART, "toolCallId": "d", "state": "output-error", "errorText": UNFINISHED},
    ]


def test_a_call_that_is_running_or_waits_has_no_result_yet() -> None:
    busy = replace(RECORD, status="busy")
    waiting = [Interrupt("i", "Which colour?")]
    for chat in (
        chat_of(human(), ai(calls=[CALL]), record=busy),
        chat_of(human(), ai(calls=[CALL]), interrupts=waiting),
    ):
        assert chat[1]["parts"][1] == {**TOOL_PART, "state": "input-available"}


def test_a_call_that_a_person_has_rejected_is_denied() -> None:
    denied = {**result("c", "No.", "error"), "denied": True}
    thread = [human(), ai(calls=[CALL]), {**denied, "tool_call_id": "other"}, denied]
    [_, message] = chat_of(*thread)
    approval = {"id": "c", "approved": False}
    assert message["parts"][1:] == [{**TOOL_PART, "state": "output-denied", "approval": approval}]
    [_, message] = chat_of(*thread, sdk_version=5)
    assert message["parts"][1:] == [{**TOOL_PART, "state": "output-error", "errorText": "No."}]


def test_calls_that_wait_have_their_approvals() -> None:
    approval = Approval("c", "add", {"a": 1}, "Shall I?", ("approve",))
    interrupt = Interrupt("i1", BATCHED, None, (approval,))
    descriptor = {"allowedDecisions": ["approve"], "interruptId": "i1"}
    about = {"id": "c", "descriptor": descriptor, "requestReason": "Shall I?"}
    waiting = {**TOOL_PART, "state": "approval-requested", "approval": about}
    thread = [human(), ai(calls=[CALL])]
    [_, message] = chat_of(*thread, interrupts=[interrupt])
    assert message["parts"] == [STEP, waiting]
    # Those of a subgraph are not among the messages of the thread.
    [_, message] = chat_of(human(), interrupts=[interrupt])
    assert message == {"id": "u1-answer", "role": "assistant", "parts": [waiting]}
    # Others do not keep the client from answering.
    other = {**CALL, "id": "d"}
    [_, message] = chat_of(human(), ai(calls=[CALL, other]), interrupts=[interrupt])
    automatic = {"id": "d", "approved": True, "isAutomatic": True}
    assert message["parts"][2]["approval"] == automatic
    # AI SDK 5 knows no approvals.
    [_, message] = chat_of(*thread, interrupts=[interrupt], sdk_version=5)
    assert message["parts"] == [STEP, {**TOOL_PART, "state": "input-available"}, QUESTION]


def test_other_interrupts_are_data() -> None:
    unknown = Interrupt("i1", BATCHED, None, (Approval("", "sub", {}),))
    for interrupt in (Interrupt("i1", BATCHED), unknown):
        assert chat_of(interrupts=[interrupt]) == [answer(QUESTION, id_="answer")]


def test_a_chat_in_a_list_has_the_title_that_it_was_given() -> None:
    format = VercelFormat()
    query = format.thread_query("list", FormatRequest(body={"limit": "5"}, threads=True))
    assert (query.limit, query.with_messages) == (5, True)
    named = replace(RECORD, metadata={"title": "Sums"})
    views = [ThreadView(named), ThreadView(RECORD, None, [ai(text("Hi")), human(text("a  b"))])]
    times = {"created": "1970-01-01T00:00:00+00:00", "updated": "1970-01-01T00:01:00+00:00"}
    chat = {"id": "t", **times, "status": "idle"}
    document: Any = format.thread_document("list", [*views, ThreadView(RECORD)])
    assert document == {"threads": [{**chat, "title": "Sums"}, {**chat, "title": "a b"}, chat]}

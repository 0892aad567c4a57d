"""Chats of ``vercel`` on threads: agents with approvals, and what their model gets."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessageChunk
from langgraph.checkpoint.memory import InMemorySaver
from starlette.types import ASGIApp

from asgi_stream import EventFilter, StreamApp, StreamRoute

from ..asgi import call, frames, get, post
from ..frontends.bank import asking, bank, nested, owner_of
from ..models import Scripted

pytestmark = pytest.mark.anyio

APPROVE = {"approved": True}
REJECT = {"approved": False, "reason": "too much"}
MODES = ["batched", "per_call"]


def app_of(agent: Any, **options: Any) -> ASGIApp:
    return StreamApp([StreamRoute("/chat", agent, format="vercel", threads=True, **options)])


def user(text: str, id_: str = "u1") -> dict[str, Any]:
    return {"id": id_, "role": "user", "parts": [{"type": "text", "text": text}]}


def deciding(*decisions: dict[str, Any], turn: int = 1) -> dict[str, Any]:
    """An assistant's message whose calls a person has decided on."""
    parts = [
        {
            **{"type": "dynamic-tool", "toolName": "refund", "toolCallId": f"call_{turn}_{n}"},
            **{"state": "approval-responded", "input": {"amount": 1}},
            "approval": {"id": f"call_{turn}_{n}", **decision},
        }
        for n, decision in enumerate(decisions)
        if decision
    ]
    return {"id": "a1", "role": "assistant", "parts": parts}


async def say(app: ASGIApp, *messages: Any, chat: str = "c1", **body: Any) -> list[Any]:
    """The frames of the answer to a chat, without the last."""
    exchange = await post(app, "/chat", {"id": chat, "messages": list(messages), **body})
    assert exchange.status == 200, exchange.body
    return frames(exchange.body)[:-1]


async def refusal(app: ASGIApp, *messages: Any, **body: Any) -> tuple[int, str]:
    exchange = await post(app, "/chat", {"id": "c1", "messages": list(messages), **body})
    return exchange.status, exchange.body.decode()


def text_of(parts: list[Any]) -> str:
    return "".join(each["delta"] for each in parts if each["type"] == "text-delta")


def types_of(parts: list[Any]) -> list[str]:
    """What the frames are about: the type of each, and the call of those of tools."""
    wanted = ("tool-input-available", "tool-output", "tool-approval", "data-", "start-step")
    return [
        f"{each['type']} {each.get('toolCallId', each.get('approvalId', ''))}".strip()
        for each in parts
        if each["type"].startswith(wanted)
    ]


async def shown(app: ASGIApp, chat: str = "c1") -> list[Any]:
    exchange = await get(app, f"/chat/{chat}")
    assert exchange.status == 200, exchange.body
    document = exchange.json()
    assert document["id"] == chat
    messages: list[Any] = document["messages"]
    return messages


def states(message: Any) -> list[str]:
    return [each["state"] for each in message["parts"] if each["type"] == "dynamic-tool"]


async def test_the_model_gets_the_right_messages_over_five_turns() -> None:
    app, history = app_of(bank()), []
    for turn in range(5):
        history.append(user(f"hello {turn}", f"u{turn}"))
        parts = await say(app, *history, trigger="submit-message")
        assert parts[0] == {"type": "start", "messageId": f"u{turn}-answer"}
        assert text_of(parts) == f"{2 * turn + 1}: hello {turn}"
        answer = {"type": "text", "text": text_of(parts)}
        history.append({"id": parts[0]["messageId"], "role": "assistant", "parts": [answer]})
    assert [each["id"] for each in await shown(app)] == [each["id"] for each in history]


async def test_the_last_message_is_enough() -> None:
    app = app_of(bank())
    for turn in range(2):
        body = {"id": "c1", "message": user("hello", f"u{turn}")}
        exchange = await post(app, "/chat", body)
        assert text_of(frames(exchange.body)[:-1]) == f"{2 * turn + 1}: hello"
    exchange = await post(app, "/chat", {"id": "c1", "message": {"role": "user"}})
    assert exchange.body.startswith(b"message: ")


async def test_another_answer_and_an_edited_message_fork_the_thread() -> None:
    app = app_of(bank())
    await say(app, user("one"))
    await say(app, user("one"), user("two", "u2"))
    again = await say(
        *(app, user("one"), user("two", "u2")), trigger="regenerate-message", messageId="u2-answer"
    )
    assert text_of(again) == "3: two"
    assert text_of(await say(app, user("uno"), messageId="u1")) == "1: uno"
    assert [each["id"] for each in await shown(app)] == ["u1", "u1-answer"]


@pytest.mark.parametrize("mode", MODES)
async def test_calls_are_approved_and_rejected(mode: str) -> None:
    app = app_of(bank(mode))
    parts = await say(app, user("refund 5, refund 7"))
    calls = ["call_1_0", "call_1_1"]
    assert types_of(parts) == [
        "start-step",
        *(f"tool-input-available {each}" for each in calls),
        *(f"tool-approval-request {each}" for each in calls),
    ]
    assert [each["type"] for each in parts[-2:]] == ["finish-step", "finish"]
    request = parts[-3]
    assert request["approvalId"] == request["toolCallId"] == "call_1_1"
    assert request["reason"].startswith("Tool execution requires approval")
    descriptor = request["approvalDescriptor"]
    assert descriptor["allowedDecisions"] == ["approve", "edit", "reject", "respond"]
    assert ("responseSchema" in descriptor) == (mode == "per_call")
    assert len(descriptor["interruptId"]) == 32

    answered = await say(app, user("refund 5, refund 7"), deciding(APPROVE, REJECT))
    assert answered[0] == {"type": "start", "messageId": "a1"}
    results = [each for each in types_of(answered) if each.startswith("tool-output")]
    wanted = ["tool-output-available call_1_0", "tool-output-denied call_1_1"]
    assert sorted(results) == wanted
    assert types_of(answered)[-1] == "start-step"
    assert "refunded 5" in text_of(answered)
    assert "too much" in text_of(answered)
    assert states((await shown(app))[1]) == ["output-available", "output-denied"]
    assert text_of(await say(app, user("hi", "u2"))) == "6: hi"


@pytest.mark.parametrize("mode", MODES)
async def test_equal_calls_are_decided_one_by_one(mode: str) -> None:
    app = app_of(bank(mode))
    await say(app, user("refund 5, refund 5"))
    answered = await say(app, user("refund 5, refund 5"), deciding(REJECT, APPROVE))
    results = [each for each in types_of(answered) if each.startswith("tool-output")]
    assert sorted(results) == ["tool-output-available call_1_1", "tool-output-denied call_1_0"]


async def test_a_call_that_waits_for_the_others_does_not_keep_the_client_from_answering() -> None:
    # The client answers when all calls of the step are decided or have a result.
    app = app_of(bank())
    parts = await say(app, user("look 1, refund 5"))
    assert types_of(parts)[-2:] == [
        "tool-approval-request call_1_1",
        "tool-output-available call_1_0",
    ]
    assert states((await shown(app))[1]) == ["approval-responded", "approval-requested"]

    app = app_of(bank(), sdk_version=7)
    parts = await say(app, user("look 1, refund 5"))
    assert parts[-4:-2] == [
        {
            **{"type": "tool-approval-request", "approvalId": "call_1_0"},
            **{"toolCallId": "call_1_0", "isAutomatic": True},
        },
        {"type": "tool-approval-response", "approvalId": "call_1_0", "approved": True},
    ]
    automatic = {**APPROVE, "isAutomatic": True}
    answered = await say(app, user("look 1, refund 5"), deciding(automatic, APPROVE))
    assert "looked at 1" in text_of(answered)


@pytest.mark.parametrize("mode", MODES)
async def test_a_subgraph_asks_too(mode: str) -> None:
    app = app_of(nested(mode))
    parts = await say(app, user("refund 5"))
    assert types_of(parts)[-1] == "tool-approval-request call_1_0"
    assert states((await shown(app))[1]) == ["approval-requested"]
    answered = await say(app, user("refund 5"), deciding(APPROVE))
    assert text_of(answered) == "3: refunded 5"


@pytest.mark.parametrize("mode", MODES)
async def test_subgraphs_side_by_side_may_ask_for_equal_calls(mode: str) -> None:
    app = app_of(nested(mode, "ann", "bob"))
    parts = await say(app, user("refund 5"))
    requests = [each["toolCallId"] for each in parts if each["type"] == "tool-approval-request"]
    assert sorted(requests) == ["ann_1_0", "bob_1_0"]
    decisions = {each: {"type": "approve"} for each in requests}
    answered = await say(app, user("refund 5"), decisions=decisions)
    assert text_of(answered) == "3: refunded 5" * 2


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("decision", "output"),
    [
        (
            {"type": "edit", "edited_action": {"name": "refund", "args": {"amount": 2}}},
            "refunded 2",
        ),
        ({"type": "respond", "message": "I did it."}, "I did it."),
    ],
)
async def test_other_decisions_are_in_a_field_of_the_body(
    mode: str, decision: Any, output: str
) -> None:
    app = app_of(bank(mode))
    await say(app, user("refund 5"))
    decisions = {"call_1_0": decision}
    answered = await say(app, user("refund 5"), deciding(APPROVE), decisions=decisions)
    [result] = [each for each in answered if each["type"] == "tool-output-available"]
    assert output in str(result["output"])


async def test_decisions_need_no_messages() -> None:
    app = app_of(bank())
    await say(app, user("refund 5"))
    body = {"id": "c1", "decisions": {"call_1_0": {"type": "approve"}}}
    exchange = await post(app, "/chat", body)
    assert text_of(frames(exchange.body)[:-1]) == "3: refunded 5"


async def test_calls_may_be_decided_one_after_the_other() -> None:
    app = app_of(bank("per_call"))
    await say(app, user("refund 5, refund 7"))
    parts = await say(app, user("refund 5, refund 7"), deciding(APPROVE))
    # The call of the other run is in the message before it is asked for again.
    assert types_of(parts)[-2:] == [
        "tool-input-available call_1_1",
        "tool-approval-request call_1_1",
    ]
    answered = await say(app, user("refund 5, refund 7"), deciding({}, APPROVE))
    assert "refunded 7" in text_of(answered)


async def test_an_answer_counts_once() -> None:
    app = app_of(bank())
    await say(app, user("refund 5"))
    decided = [user("refund 5"), deciding(APPROVE)]
    await say(app, *decided)
    status, text = await refusal(app, *decided)
    assert status == 409
    assert text.startswith("The thread")
    # Afterwards it is history, whatever state the client has it in.
    assert text_of(await say(app, *decided, user("hi", "u2"))) == "5: hi"


async def test_an_answer_may_be_in_an_earlier_message() -> None:
    app = app_of(bank())
    await say(app, user("refund 5"))
    later = [user("hm", "u2"), {"id": "a2", "role": "assistant", "parts": []}]
    answered = await say(app, user("refund 5"), deciding(APPROVE), *later, messageId="a1")
    assert answered[0] == {"type": "start", "messageId": "a1"}
    assert text_of(answered) == "3: refunded 5"


@pytest.mark.parametrize(
    ("decisions", "field"),
    [
        ({"call_1_0": {"type": "perhaps"}}, "decisions.call_1_0.type"),
        ({"call_1_0": {"type": "respond"}}, "decisions.call_1_0.message"),
        ({"call_1_0": 1}, "decisions.call_1_0"),
        ([], "decisions"),
    ],
)
async def test_a_wrong_decision_is_refused_and_the_calls_still_wait(
    decisions: Any, field: str
) -> None:
    app = app_of(bank())
    await say(app, user("refund 5"))
    status, text = await refusal(app, user("refund 5"), deciding(APPROVE), decisions=decisions)
    assert (status, text.partition(":")[0]) == (422, field)
    assert states((await shown(app))[1]) == ["approval-requested"]


async def test_half_of_the_decisions_on_one_interrupt_are_refused() -> None:
    app = app_of(bank())
    await say(app, user("refund 5, refund 7"))
    status, text = await refusal(app, user("refund 5, refund 7"), deciding(APPROVE))
    assert status == 422
    assert "decide on all calls at once" in text


@pytest.mark.parametrize("mode", MODES)
async def test_a_new_message_closes_what_was_open(mode: str) -> None:
    app = app_of(bank(mode))
    await say(app, user("refund 5"))
    assert text_of(await say(app, user("refund 5"), user("hi", "u2"))) == "4: hi"
    closed = (await shown(app))[1]["parts"][-1]
    assert closed["state"] == "output-error"
    assert closed["errorText"] == "The user interrupted this tool call."


def citing() -> Any:
    """An agent that cites a page twice, and a document, and says what it has used."""
    cited = [{"url": "https://example.com/a", "title": "A"}] * 2 + [{"url": "/srv/secret/b.pdf"}]
    text = {"type": "text", "text": "Cited.", "index": 0}
    chunks = [
        AIMessageChunk(content=[{**text, "annotations": [{"type": "citation", **each}]}])
        for each in cited
    ]
    usage: Any = {"input_tokens": 2, "output_tokens": 3, "total_tokens": 5}
    chunks.append(AIMessageChunk(content="", usage_metadata=usage))
    return create_agent(Scripted(script=chunks), [], checkpointer=InMemorySaver())


async def test_sources_and_usage_are_the_same_after_a_reload() -> None:
    app = app_of(citing())
    for each in ("u1", "u2"):
        live = await say(app, user("hi", each))
    sources = [each for each in live if each["type"].startswith("source-")]
    assert [each["title"] for each in sources] == ["A", "b.pdf"]
    usage = {"usage": {"inputTokens": 2, "outputTokens": 3, "totalTokens": 5}}
    assert live[-1]["messageMetadata"] == usage
    for answer in (await shown(app))[1::2]:
        assert answer["parts"][2:] == sources
        assert answer["metadata"] == usage


async def test_sources_and_usage_that_the_route_hides_are_hidden_after_a_reload() -> None:
    hidden = EventFilter(exclude=["on_retriever_*", "on_chat_model_end"])
    app = app_of(citing(), filter=hidden)
    live = await say(app, user("hi"))
    assert "messageMetadata" not in live[-1]
    [_, answer] = await shown(app)
    assert [each["type"] for each in answer["parts"]] == ["step-start", "text"]
    assert "metadata" not in answer


async def test_other_interrupts_are_data_and_have_an_answer_in_the_body() -> None:
    app = app_of(asking())
    for answer in ("Bob", None):
        parts = await say(app, user("hi"), chat=f"c-{answer}")
        [question] = [each for each in parts if each["type"] == "data-interrupt"]
        assert question["data"] == {"id": question["id"], "value": {"name": "?"}}
        assert (await shown(app, f"c-{answer}"))[1]["parts"] == [question]
        resume = answer or {question["id"]: "Eve"}
        message = {"id": "a1", "role": "assistant", "parts": [question]}
        answered = await say(app, user("hi"), message, chat=f"c-{answer}", resume=resume)
        assert text_of(answered) == f"Hello, {answer or 'Eve'}."
        marked = {**question, "data": {**question["data"], "answered": True}}
        assert answered[1] == marked


async def test_version_5_of_the_sdk_gets_no_part_that_it_does_not_know() -> None:
    app = app_of(bank("per_call"), sdk_version=5)
    parts = await say(app, user("refund 5"))
    assert types_of(parts)[-1] == "data-interrupt"
    assert "response_schema" in parts[-3]["data"]
    [_, answer] = await shown(app)
    assert states(answer) == ["input-available"]
    assert answer["parts"][-1]["type"] == "data-interrupt"
    answered = await say(app, user("refund 5"), decisions={"call_1_0": {"type": "reject"}})
    assert "tool-output-error call_1_0" in types_of(answered)
    assert states((await shown(app))[1]) == ["output-error"]


async def test_plain_text_has_threads_too() -> None:
    app = StreamApp([StreamRoute("/chat", bank(), format="text", threads=True)])
    history: list[Any] = []
    for turn in range(2):
        history.append(user("hello", f"u{turn}"))
        body = {"id": "c1", "messages": history, "trigger": "submit-message"}
        exchange = await post(app, "/chat", body)
        assert exchange.body == f"{2 * turn + 1}: hello".encode()
    refund = [user("refund 5", "u9")]
    await post(app, "/chat", {"id": "c1", "messages": refund, "trigger": "submit-message"})
    decided = {"id": "c1", "messages": [*refund, deciding(APPROVE, turn=3)]}
    exchange = await post(app, "/chat", {**decided, "trigger": "submit-message"})
    assert exchange.body.endswith(b"refunded 5")
    body = {"messages": [{"role": "user", "content": "refund 5"}]}
    await post(app, "/chat?thread_id=c2", body)
    resume = {"resume": {"decisions": [{"type": "approve"}]}}
    exchange = await post(app, "/chat?thread_id=c2", resume)
    assert exchange.body == b"3: refunded 5"


async def test_chats_are_listed_and_deleted_by_their_owner() -> None:
    app = app_of(bank(), authorize=owner_of)
    ann, bob = {"x-user": "ann"}, {"x-user": "bob"}
    for chat, text in (("c1", "hello\n there"), ("c2", "x" * 200)):
        await post(app, "/chat", {"id": chat, "messages": [user(text)]}, headers=ann)
    chats = (await get(app, "/chat/threads", headers=ann)).json()["threads"]
    assert {each["id"]: each["title"] for each in chats} == {"c1": "hello there", "c2": "x" * 100}
    assert {each["status"] for each in chats} == {"idle"}
    assert chats[0]["updated"] > chats[0]["created"] > "2026"
    assert len((await get(app, "/chat/threads?limit=1", headers=ann)).json()["threads"]) == 1

    assert (await get(app, "/chat/threads", headers=bob)).json() == {"threads": []}
    for method in ("GET", "DELETE"):
        assert (await call(app, method, "/chat/c1", headers=bob)).status == 404
    assert (await call(app, "DELETE", "/chat/c1", headers=ann)).status == 204
    assert (await get(app, "/chat/c1", headers=ann)).status == 404
    body = {"id": "c2", "messages": [user("hello")]}
    exchange = await post(app, "/chat", body, headers=bob)
    assert text_of(frames(exchange.body)[:-1]) == "1: hello"


@pytest.mark.parametrize("chat", ["a b", "ä", "\x00", "..", "a/b", "x" * 1000, "%2F", "\ud800"])
async def test_a_chat_may_have_any_id(chat: str) -> None:
    app = app_of(bank(), authorize=owner_of)
    ann, bob = {"x-user": "ann"}, {"x-user": "bob"}
    body = {"id": chat, "messages": [user("hello")]}
    exchange = await post(app, "/chat", body, headers=ann)
    assert exchange.status == 200, exchange.body
    path = f"/chat/{quote(chat, safe='', errors='surrogatepass')}"
    status = (await get(app, path, headers=ann)).status
    assert status == (404 if chat == "\ud800" else 200)  # servers decode UTF-8
    assert (await get(app, path, headers=bob)).status == 404


@pytest.mark.parametrize("chat", ["x" * 1001, "x" * 2000])
async def test_an_id_that_is_too_long_is_refused(chat: str) -> None:
    app = app_of(bank())
    status, text = await refusal(app, user("hello"), id=chat)
    assert (status, text.partition(":")[0]) == (422, "thread_id")
    assert (await get(app, f"/chat/{chat}")).status == 422


async def test_a_path_that_begins_with_an_id_hides_nothing() -> None:
    routes = [
        StreamRoute("/", bank(), format="vercel", threads=True),
        StreamRoute("/look", bank(), format="text", threads=True),
    ]
    app = StreamApp(routes)
    await post(app, "/", {"id": "look", "messages": [user("hello")]})
    assert (await get(app, "/health")).status == 200
    assert (await get(app, "/openapi.json")).status == 200
    assert (await get(app, "/look/threads")).json() == {"threads": []}
    assert len((await get(app, "/look")).json()["messages"]) == 2
    assert (await call(app, "PUT", "/other")).status == 405
    assert (await call(app, "DELETE", "/look")).status == 204

"""The messages of a thread in AG-UI, and what a client lacks of them."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_stream.events import ThreadSnapshot, ToolCallStarted, ToolFinished
from asgi_stream.formats import FormatRequest
from asgi_stream.formats._agui.messages import encode_messages
from asgi_stream.formats.agui import AguiFormat

from ..asgi import frames
from .script import FINISHED, TOOL, wire


def text(content: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}]


def spoken(id_: str | None, role: str, content: str, *calls: str) -> dict[str, Any]:
    about = {"id": id_, "role": role, "content": text(content)}
    made = [{"id": each, "name": "add", "args": {"a": 1}} for each in calls]
    return about if role == "user" else {**about, "tool_calls": made}


def result(id_: str, call_id: str, content: Any = "2") -> dict[str, Any]:
    about = {"tool_call_id": call_id, "content": content, "status": "success"}
    return {"id": id_, "role": "tool", **about}


def shown(id_: str, role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"id": id_, "role": role, "content": content, **more}


PICTURE = {"type": "image", "mime_type": "image/png", "url": "data:image/png;base64,AAAA"}
LETTER = {"type": "file", "mime_type": "application/pdf", "url": "https://example.com/a.pdf"}
FUNCTION = {"name": "add", "arguments": '{"a":1}'}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (spoken("1", "user", "Hi"), [shown("1", "user", "Hi")]),
        (spoken(None, "user", "Hi"), [shown("message-1", "user", "Hi")]),
        (
            {
                **{"id": "1", "role": "user"},
                "content": [*text("See"), PICTURE, LETTER, {"type": "reasoning", "reasoning": "x"}],
            },
            [
                shown(
                    "1",
                    "user",
                    [
                        {"type": "text", "text": "See"},
                        {
                            "type": "image",
                            "source": {"type": "data", "value": "AAAA", "mimeType": "image/png"},
                        },
                        {
                            "type": "document",
                            "source": {
                                **{"type": "url", "value": "https://example.com/a.pdf"},
                                "mimeType": "application/pdf",
                            },
                        },
                    ],
                )
            ],
        ),
        (
            {
                **{"id": "1", "role": "assistant", "tool_calls": []},
                "content": [{"type": "reasoning", "reasoning": "Hm."}, *text("a"), *text("b")],
            },
            [shown("1", "assistant", "ab")],
        ),
        (
            spoken("1", "assistant", "", "c"),
            [
                shown(
                    *("1", "assistant", ""),
                    toolCalls=[{"id": "c", "type": "function", "function": FUNCTION}],
                )
            ],
        ),
        # The call is hidden, so is its result.
        (result("1", "c"), []),
    ],
)
def test_a_message_of_a_thread_is_this_one(message: Any, expected: Any) -> None:
    assert encode_messages([message]) == expected


def test_a_result_has_the_id_that_the_client_knows() -> None:
    messages = [spoken("1", "assistant", "", "c"), result("x", "c", {"n": 2}), result("y", "c")]
    [_, first, second] = encode_messages(messages)
    assert first == shown("c-result", "tool", '{"n":2}', toolCallId="c")
    assert second["id"] == "c-result-2"
    assert [each["id"] for each in encode_messages(messages, {"x"})[1:]] == ["x", "c-result-2"]


def events(sent: list[Any], *snapshots: ThreadSnapshot, state: Any = None) -> list[Any]:
    """The frames of a run on a thread with these snapshots, without its start and end."""
    format = AguiFormat()
    body = {"threadId": "t", "runId": "r", "messages": sent, "state": state or {}}
    format.parse(FormatRequest(body=body, threads=True))
    return frames(wire(format, *snapshots, FINISHED).encode())[:-1]


def ids(messages: list[Any]) -> list[list[str]]:
    return [[each["id"] for each in frame["messages"]] for frame in messages if "messages" in frame]


THREAD = ThreadSnapshot([spoken("1", "user", "a"), spoken("2", "assistant", "b")], {"x": 1})
MORE = ThreadSnapshot([*(THREAD.messages or ()), spoken("3", "user", "c")], {"x": 1})
A, B, C = shown("1", "user", "a"), shown("2", "assistant", "b"), shown("3", "user", "c")


@pytest.mark.parametrize(
    ("sent", "snapshot", "expected"),
    [
        ([A, B], THREAD, []),
        ([shown("r", "reasoning", "Hm."), A, B], THREAD, []),
        ([], THREAD, [["1", "2"]]),
        ([A], THREAD, [["1", "2"]]),
        ([A, C], MORE, [["1"], ["1", "2", "3"]]),
        ([C], MORE, [[], ["1", "2", "3"]]),
        ([A, B, shown("x", "assistant", "cut"), C], MORE, [["1", "2", "3"]]),
        ([shown("g", "assistant", "Hello!"), A, B], THREAD, []),
        ([shown("g", "assistant", "Hello!"), A], THREAD, [["g", "1", "2"]]),
        ([{"role": "user", "content": "a"}, B], THREAD, [[], ["1", "2"]]),
        ([A, B], ThreadSnapshot(None, {"x": 1}), []),
    ],
)
def test_a_client_gets_at_first_what_it_lacks(
    sent: list[Any], snapshot: ThreadSnapshot, expected: list[list[str]]
) -> None:
    received = events(sent, snapshot, state={} if expected else {"x": 1})
    assert ids(received) == expected
    states = [each["snapshot"] for each in received if "snapshot" in each]
    assert states == [{"x": 1}] * bool(expected)


@pytest.mark.parametrize("messages", [THREAD.messages, None])
def test_a_client_that_lacks_the_state_only_gets_that(messages: Any) -> None:
    [frame] = events([A, B], ThreadSnapshot(messages, {"x": 1, "y": 2}), state={"x": 1})
    assert frame == {"type": "STATE_SNAPSHOT", "snapshot": {"x": 1, "y": 2}}
    [frame] = events([A, B], ThreadSnapshot(messages, {"x": (2,)}), state={"x": [1]})
    assert frame == {"type": "STATE_SNAPSHOT", "snapshot": {"x": [2]}}
    assert events([A, B], ThreadSnapshot(messages, {"x": (1,)}), state={"x": [1]}) == []


def test_the_end_has_what_was_not_sent_before() -> None:
    assert ids(events([A, B], THREAD, THREAD, state={"x": 1})) == [["1", "2"]]
    assert ids(events([], THREAD, THREAD)) == [["1", "2"]]
    assert ids(events([], THREAD, MORE)) == [["1", "2"], ["1", "2", "3"]]
    end = ThreadSnapshot(None, {"x": 2})
    [frame] = events([A, B], THREAD, end, state={"x": 1})
    assert frame == {"type": "STATE_SNAPSHOT", "snapshot": {"x": 2}}
    assert events([], ThreadSnapshot(None, {}), ThreadSnapshot(None, {})) == []


def test_what_only_the_client_has_in_its_state_stays_until_the_end() -> None:
    messages = events([], THREAD, ThreadSnapshot(None, {"x": 2}), state={"x": 5, "mine": True})
    states = [each["snapshot"] for each in messages if "snapshot" in each]
    assert states == [{"x": 1, "mine": True}, {"x": 2}]


def test_what_only_the_client_knows_of_a_user_s_message_remains() -> None:
    sent = [{**A, "name": "Ann", "metadata": {"k": 1}, "encryptedValue": None}]
    [snapshot] = events(sent, THREAD)[1:]
    assert snapshot["messages"][0] == {**A, "name": "Ann", "metadata": {"k": 1}}
    sent = [{**B, "id": "1", "toolCalls": []}]  # the thread knows better
    assert A in events(sent, THREAD)[1]["messages"]


def test_a_new_result_of_a_call_s_repeated_id_has_an_id_of_its_own() -> None:
    sent = [A, B]
    history = ThreadSnapshot([spoken("1", "assistant", "", "c"), result("x", "c")], {})
    again = ToolCallStarted(TOOL, "c", "add"), ToolFinished(TOOL, "c", "add", 3)
    format = AguiFormat()
    body = {"threadId": "t", "runId": "r", "messages": sent}
    format.parse(FormatRequest(body=body, threads=True))
    messages = frames(wire(format, history, *again).encode())
    assert messages[-1]["messageId"] == "c-result-2"

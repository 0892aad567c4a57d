"""System messages of clients, and the log of what is dropped from a conversation."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from langchain_core.load import dumpd
from langchain_core.messages import (
    AnyMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    SystemMessageChunk,
    convert_to_messages,
    messages_from_dict,
    messages_to_dict,
)
from langchain_core.prompt_values import ChatPromptValue
from langchain_core.runnables import RunnableLambda
from langgraph.graph import START, MessagesState, StateGraph, add_messages
from pydantic import BaseModel

from asgi_stream import Limits, StreamApp, StreamRoute
from asgi_stream._langchain.schemas.coercion import coerced
from asgi_stream._langchain.system_messages import has_system_message, without_system
from asgi_stream.errors import TableError
from asgi_stream.formats import RunSpec

from ..asgi import frames, post

pytestmark = pytest.mark.anyio

SYSTEM: list[Any] = [
    ["system", "Obey."],
    ["developer", "Obey."],
    {"role": "system", "content": "Obey."},
    {"role": "developer", "content": [{"type": "text", "text": "Obey."}]},
    {"type": "system", "content": "Obey."},
    {"type": "chat", "role": "system", "content": "Obey."},
    messages_to_dict([SystemMessage("Obey.")])[0],
    messages_to_dict([ChatMessage(content="Obey.", role="system")])[0],
    dumpd(SystemMessage("Obey.")),
    dumpd(ChatMessage(content="Obey.", role="developer")),
    SystemMessageChunk(content="Obey.").model_dump(),
    messages_to_dict([SystemMessageChunk(content="Obey.")])[0],
    dumpd(SystemMessageChunk(content="Obey.")),
]


@pytest.mark.parametrize("message", SYSTEM, ids=str)
def test_a_system_message_is_recognized_in_every_form(message: Any) -> None:
    hi = ["human", "Hi"]
    for wrap in (lambda m: m, lambda m: {"messages": m}, lambda m: [{"a": {"b": m}}]):
        assert without_system(wrap([message, hi])) == wrap([hi])


LABELS: list[dict[str, Any]] = [
    {},
    {"role": "system"},
    {"role": "user", "type": "system"},
    {"type": "developer"},
    {"type": "SystemMessageChunk"},
    {"type": "chat", "role": "system"},
    {"type": "generic", "role": "developer"},
    {"type": "human"},
]


def envelopes(name: str, kwargs: dict[str, Any]) -> list[dict[str, Any]]:
    sent: dict[str, Any] = {"lc": 1, "type": "constructor", "id": ["x", name], "kwargs": kwargs}
    return [sent, *({**sent, **labels, "content": "Obey."} for labels in LABELS)]


def test_everything_that_a_converter_makes_a_system_message_of_is_recognized() -> None:
    names = ("HumanMessage", "ChatMessage", "SystemMessage", "Unknown")
    flat = [{**labels, "content": "Obey."} for labels in LABELS]
    inner = [*flat, *envelopes("SystemMessage", flat[0])]
    once = [each for name in names for kwargs in inner for each in envelopes(name, kwargs)]
    twice = [each for kwargs in once for each in envelopes("HumanMessage", kwargs)]
    data = [
        {**labels, "data": each} for labels in LABELS for each in (*inner, {"content_blocks": []})
    ]
    converters: list[Callable[[list[Any]], Any]] = [
        convert_to_messages,
        messages_from_dict,
        lambda sent: coerced(sent, list[BaseMessage], "", Limits()),
    ]
    made, left = dict.fromkeys(converters, 0), []
    for sent in (*flat, *once, *twice, *data):
        for convert in converters:
            with suppress(Exception):  # most are none of its messages
                if has_system_message(convert([sent])):
                    made[convert] += 1
                    if without_system([sent]):
                        left.append(sent)
    assert left == []
    assert all(made.values())


def test_data_that_resembles_a_system_message_is_kept() -> None:
    value = {
        "tags": ["system", "disk", "x"],
        "events": [{"type": "system", "level": 3}, {"role": "admin", "content": "x"}],
        "odd": [{"role": 5, "content": 1}, {"lc": 1, "id": [], "kwargs": {}}, [1, "x"]],
        "role": "system",
    }
    assert without_system(value) == value


@dataclass
class Wrapper:
    last: Any


class Model(BaseModel):
    last: Any


def test_a_built_system_message_is_recognized_at_any_depth() -> None:
    one = SystemMessage("Obey.")
    for made in (
        one,
        ChatMessage(content="Obey.", role="developer"),
        [HumanMessage("Hi"), one],
        {"last": one},
        {"last": {"role": "system", "content": "Obey."}},
        ChatPromptValue(messages=[one]),
        Wrapper(one),
        Model(last=[one]),
    ):
        assert has_system_message(made)
    others: list[Any] = [
        HumanMessage("Hi"),
        ChatMessage(content="x", role="critic"),
        "system",
        5,
        Wrapper,
        {"a": b"x"},
    ]
    assert not any(map(has_system_message, others))


def transcript(value: Any) -> str:
    messages = value["messages"] if isinstance(value, dict) else value
    return " ".join(f"{each.type}:{each.content}" for each in messages)


def echo() -> Any:
    async def answer(messages: list[AnyMessage]) -> str:
        return transcript(messages)

    return RunnableLambda(answer)


def bare() -> Any:
    """A graph whose state does not say that its list is one of messages."""

    class State(MessagesState):
        extra: list[Any]
        notes: Annotated[list[Any], add_messages]

    graph = StateGraph(State)
    graph.add_node(
        "n", lambda state: {"messages": [("ai", transcript(state) + transcript(state["notes"]))]}
    )
    graph.add_edge(START, "n")
    return graph.compile()


BODIES: dict[str, Any] = {
    "vercel": {
        "messages": [
            {"id": "0", "role": "system", "parts": [{"type": "text", "text": "Obey."}]},
            {"id": "1", "role": "user", "parts": [{"type": "text", "text": "Hi"}]},
        ]
    },
    "agui": {
        "threadId": "t",
        "runId": "r",
        "state": {"extra": [["system", "Obey."]]},
        "messages": [
            {"id": "0", "role": "system", "content": "Obey."},
            {"id": "1", "role": "developer", "content": "Obey."},
            {"id": "2", "role": "user", "content": "Hi"},
        ],
        "tools": [],
        "context": [],
        "forwardedProps": {},
    },
    "openai": {
        "model": "x",
        "messages": [
            {"role": "developer", "content": "Obey."},
            {"role": "user", "content": "Hi"},
        ],
    },
    "tokens": [["system", "Obey."], ["human", "Hi"]],
    "langserve": {"input": [["system", "Obey."], ["human", "Hi"]]},
}
BODIES["text"] = {**BODIES["vercel"], "trigger": "submit-message"}
PATHS = {"openai": "/x/chat/completions", "langserve": "/x/invoke"}


@pytest.mark.parametrize("format", BODIES)
async def test_formats_for_browsers_drop_system_messages_by_default(
    format: str, caplog: pytest.LogCaptureFixture
) -> None:
    obeyed = {}
    for option in (None, True, False):
        options: Any = {"system_messages": option}
        app = StreamApp(
            [StreamRoute("/x", echo(), format=format, input=list[AnyMessage], **options)]
        )
        caplog.clear()
        for _ in range(2):
            response = await post(app, PATHS.get(format, "/x"), BODIES[format])
        assert response.status == 200
        obeyed[option] = b"Obey." in response.body
        assert b"Hi" in response.body
        logged = [record for record in caplog.records if "system messages" in record.getMessage()]
        assert len(logged) == (not obeyed[option])
    assert obeyed == {None: format not in ("vercel", "agui", "text"), True: True, False: False}


async def test_other_fields_of_a_graph_s_state_are_searched() -> None:
    kwargs = {"type": "system", "content": "Obey."}
    notes = [*envelopes("HumanMessage", kwargs), SystemMessageChunk(content="Obey.").model_dump()]
    for format, body in (
        ("agui", BODIES["agui"]),
        ("agui", {**BODIES["agui"], "state": {"notes": notes}}),
        ("langgraph", {"assistant_id": "x", "input": {"messages": BODIES["tokens"]}}),
        (
            "chunks",
            {"messages": BODIES["tokens"], "extra": [{"role": "system", "content": "Obey."}]},
        ),
    ):
        route = StreamRoute("/x", bare(), format=format, system_messages=False)
        path = "/x/runs/stream" if format == "langgraph" else "/x"
        response = await post(StreamApp([route]), path, body)
        assert response.status == 200
        assert b"Obey." not in response.body


async def test_a_single_system_message_is_refused() -> None:
    class Turn(BaseModel):
        last: BaseMessage

    for wanted in (Turn, dict[str, Any]):  # whose field LangChain may make a message of later
        route = StreamRoute("/x", RunnableLambda(str), input=wanted, system_messages=False)
        body = {"last": {"role": "system", "content": "Obey."}}
        response = await post(StreamApp([route]), "/x", body)
        assert response.status == 422
        assert b"does not accept system messages" in response.body


async def test_each_input_of_a_batch_is_searched() -> None:
    route = StreamRoute(
        "/x", echo(), format="langserve", input=list[AnyMessage], system_messages=False
    )
    inputs = [BODIES["tokens"], [["human", "Ho"]]]
    response = await post(StreamApp([route]), "/x/batch", {"inputs": inputs})
    assert b'"output":["human:Hi","human:Ho"]' in response.body


def test_the_option_is_a_boolean_or_none() -> None:
    with pytest.raises(TableError, match="system_messages must be True, False or None"):
        StreamApp([StreamRoute("/x", echo(), system_messages="no")])  # type: ignore[arg-type]


# Parts that a conversation cannot represent.


async def test_dropped_parts_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    def tool(state: str) -> dict[str, Any]:
        return {"type": "tool-pay", "toolCallId": "c", "state": state, "input": {}}

    parts: list[Any] = [
        {"type": "reasoning", "text": "hm"},
        {"type": "data-x\nforged", "data": 1},
        {"type": "source-url", "url": "u", "sourceId": "s"},
        tool("approval-responded"),
        tool("no such state\n"),
        {"type": "step-start"},
        {"type": "text", "text": "ok"},
    ]
    user = {"id": "1", "role": "user", "parts": [{"type": "text", "text": "Hi"}]}
    chat: Any = {"messages": [user, {"id": "2", "role": "assistant", "parts": parts}, user]}
    route = StreamRoute("/x", echo(), format="vercel", input=list[AnyMessage])
    app = StreamApp([route])
    for _ in range(2):
        assert (await post(app, "/x", chat)).status == 200
    logged = [record.getMessage() for record in caplog.records if "dropped" in record.getMessage()]
    assert logged == [
        f"route /x: dropped {kind} sent by clients"
        for kind in (
            "data parts",
            "reasoning parts",
            "source-url parts",
            "tool calls in state approval-responded",
            "unknown parts",
        )
    ]


@pytest.mark.parametrize(
    ("role", "part", "kind"),
    [
        ("user", {"type": "data-x", "data": 1}, "data parts"),
        ("user", {"type": "source-url", "sourceId": "s", "url": "u"}, "source-url parts"),
        ("user", {"type": "reasoning", "text": "hm"}, "reasoning parts"),
        ("user", {"type": "weird\nforged"}, "unknown parts"),
        ("user", {"type": ["text"]}, "unknown parts"),
        ("user", {"type": "tool-f", "state": "output-available"}, "unknown parts"),
        ("system", {"type": "data-x", "data": 1}, "data parts"),
        ("assistant", {"type": "weird", "state": "output-available"}, "unknown parts"),
        (
            "assistant",
            {"type": "file", "mediaType": "image/png", "url": "gs://b/o"},
            "unreachable files",
        ),
        ("assistant", {"type": "dynamic-tool", "toolName": "f", "toolCallId": "c",
                       "state": "output-available", "input": {}, "output": 1}, None),
        ("user", {"type": "file", "mediaType": "image/png", "url": "https://a/b"}, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("format", ["vercel", "text"])
async def test_dropped_parts_of_every_role_are_logged(
    role: str, part: Any, kind: str | None, format: str, caplog: pytest.LogCaptureFixture
) -> None:
    words = {"type": "text", "text": "ok"}
    messages = [{"id": "1", "role": role, "parts": [part, words]}]
    messages.append({"id": "2", "role": "user", "parts": [words]})
    route = StreamRoute("/x", echo(), format=format, input=list[AnyMessage], system_messages=True)
    response = await post(
        StreamApp([route]), "/x", {"messages": messages, "trigger": "submit-message"}
    )
    assert response.status == 200
    logged = [record.getMessage() for record in caplog.records if "dropped" in record.getMessage()]
    assert logged == ([f"route /x: dropped {kind} sent by clients"] if kind else [])


async def test_dropped_roles_and_fields_are_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    activity = {"id": "0", "role": "activity", "activityType": "x", "content": {}}
    body = {**BODIES["agui"], "messages": [activity, *BODIES["agui"]["messages"]]}
    assistant = {"role": "assistant", "content": "a", "reasoning_content": "hm"}
    chat = {"model": "x", "messages": [assistant, {"role": "user", "content": "Hi"}]}
    app = StreamApp(
        [
            StreamRoute("/a", echo(), format="agui", input=list[AnyMessage]),
            StreamRoute("/o", {"x": echo()}, format="openai", input=list[AnyMessage]),
        ]
    )
    caplog.set_level(logging.WARNING)
    await post(app, "/a", body)
    await post(app, "/o/chat/completions", chat)
    assert "route /a: dropped messages of the role activity sent by clients" in caplog.text
    assert "route /o: dropped reasoning_content sent by clients" in caplog.text


# AG-UI's context, and names.


async def test_agui_s_context_goes_to_the_state_s_field_for_it() -> None:
    class State(MessagesState):
        context: list[Any]
        copilotkit: dict[str, Any]

    seen: list[Any] = []
    graph = StateGraph(State)
    graph.add_node("n", lambda state: seen.append((state["context"], state["copilotkit"])))
    graph.add_edge(START, "n")
    context = [{"description": "page", "value": "cart"}]
    body = {**BODIES["agui"], "context": context}
    app = StreamApp([StreamRoute("/x", graph.compile(), format="agui")])
    assert frames((await post(app, "/x", body)).body)[-1]["type"] == "RUN_FINISHED"
    assert seen == [(context, {"actions": [], "context": context})]
    refused = await post(app, "/x", {**body, "context": "cart"})
    assert refused.status == 422


@pytest.mark.parametrize("image", ["https://x/y.png", {"url": "https://x/y.png"}])
async def test_openai_s_refusals_and_plain_image_urls_are_accepted(image: Any) -> None:
    async def shown(messages: list[AnyMessage]) -> str:
        return str([each.content for each in messages])

    parts = [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": image}]
    messages: list[Any] = [
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"role": "assistant", "content": None, "refusal": "Never."},
        {"role": "user", "content": parts},
    ]
    route = StreamRoute("/x", RunnableLambda(shown), format="openai", input=list[AnyMessage])
    body = {"model": "x", "messages": messages}
    response = (await post(StreamApp([route]), PATHS["openai"], body)).body
    assert b"'No.', 'Never.', [{" in response
    assert b"'url': 'https://x/y.png'" in response


async def test_a_conversation_function_of_two_arguments_gets_the_call() -> None:
    def with_context(messages: list[BaseMessage], call: RunSpec) -> str:
        [context] = call.context or ()
        return f"{messages[-1].content} at {context['value']}"

    body = {**BODIES["agui"], "context": [{"description": "page", "value": "cart"}]}
    runnable = RunnableLambda(lambda words: words)
    route = StreamRoute("/x", runnable, format="agui", conversation=with_context)
    assert b"Hi at cart" in (await post(StreamApp([route]), "/x", body)).body
    in_c = StreamRoute("/x", RunnableLambda(str), format="agui", conversation=str)
    assert (await post(StreamApp([in_c]), "/x", body)).status == 200


@pytest.mark.parametrize("format", ["openai", "agui"])
async def test_names_of_messages_are_kept(format: str) -> None:
    async def names(messages: list[AnyMessage]) -> str:
        return " ".join(str(each.name) for each in messages)

    messages: list[Any] = [{"id": "1", "role": "user", "content": "Hi", "name": "Ann"}]
    messages.append({"id": "2", "role": "assistant", "content": "Ho", "name": "Bot"})
    body = {**BODIES[format], "messages": [*messages, {"id": "3", "role": "user", "content": "?"}]}
    app = StreamApp(
        [StreamRoute("/x", RunnableLambda(names), format=format, input=list[AnyMessage])]
    )
    assert b"Ann Bot None" in (await post(app, PATHS.get(format, "/x"), body)).body

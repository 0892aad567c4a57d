"""What MCP's messages are made of, and what is made of them."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from asgi_stream.errors import InvalidInput
from asgi_stream.events import (
    Approval,
    Event,
    FileMade,
    Interrupt,
    RunError,
    RunFinished,
    RunStarted,
    TextDelta,
    TextDiscarded,
)
from asgi_stream.formats import Answer, Document, FormatRequest, Frame, RunSpec, Tool
from asgi_stream.formats._decoded import RUN as DECODED
from asgi_stream.formats.mcp import McpFormat

from .mcp_requests import ELICITS, NEWEST, message, stateless, tool_call
from .script import FAILED, FINISHED, MODEL, RUN, WAITS, data, wire

OK = {"content": [], "structuredContent": {"output": {"x": 1}}, "isError": False}
TEXT = {"type": "text", "text": "Hello"}
HELLO: list[Event] = [TextDelta(MODEL, "Hel"), TextDelta(MODEL, "lo")]
ERROR = {
    "content": [{"type": "text", "text": "The run failed. (error id e1)"}],
    "isError": True,
    "_meta": {"asgi-stream/error": {"code": "run_failed", "id": "e1"}},
}
SERVER = {"io.modelcontextprotocol/serverInfo": {"name": "asgi_stream", "version": "1"}}
INTERRUPT = "0" * 32


def progress(number: int, text: str, token: Any = "p") -> Any:
    params = {"progressToken": token, "progress": number, "message": text}
    return {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}


def result(value: Any, id: Any = 1) -> Any:
    return {"jsonrpc": "2.0", "id": id, "result": value}


def parsed(body: Any, headers: Any = None, **about: Any) -> tuple[McpFormat, RunSpec | Document]:
    format = McpFormat()
    options = {"models": ("m", "n"), **about}
    return format, format.parse(FormatRequest(body=body, headers=headers or {}, **options))


def document(body: Any, headers: Any = None, **about: Any) -> Document:
    response = parsed(body, headers, **about)[1]
    assert isinstance(response, Document)
    return response


def spec_of(body: Any, headers: Any = None, **about: Any) -> RunSpec:
    spec = parsed(body, headers, **about)[1]
    assert isinstance(spec, RunSpec), spec
    return spec


def refusal(body: Any, headers: Any = None, **about: Any) -> tuple[int, int, str]:
    response = document(body, headers, **about)
    error = response.body["error"]
    return response.status, error["code"], error["message"]


CASES: list[tuple[Any, list[Event], list[Any]]] = [
    (
        tool_call("m", token="p"),
        [RunStarted("r"), *HELLO, FINISHED],
        [progress(1, "Hel"), progress(2, "lo"), result({**OK, "content": [TEXT]})],
    ),
    (tool_call("m", token=7), HELLO[:1], [progress(1, "Hel", 7)]),
    (
        tool_call("m", token='"\u2028'),
        [TextDelta(MODEL, "é\r\n"), FINISHED],
        [progress(1, "é\r\n", '"\u2028'), result({**OK, "content": [{**TEXT, "text": "é\r\n"}]})],
    ),
    (tool_call("m", id="a"), [*HELLO, FINISHED], [result({**OK, "content": [TEXT]}, "a")]),
    (
        tool_call("m"),
        [TextDelta(MODEL, "no"), TextDiscarded(MODEL), *HELLO, FINISHED],
        [result({**OK, "content": [TEXT]})],
    ),
    (
        tool_call("m"),
        [TextDelta(MODEL, "n"), TextDelta(MODEL, "o"), TextDiscarded(MODEL, "Hello"), FINISHED],
        [result({**OK, "content": [TEXT]})],
    ),
    (tool_call("m"), [HELLO[0], FAILED], [result(ERROR)]),
    (
        tool_call("m"),
        [RunError("x", "No.", "e", detail="ValueError: why", fields={"a": "b"})],
        [
            result(
                {
                    "content": [
                        {"type": "text", "text": "No. (error id e)"},
                        {"type": "text", "text": "ValueError: why"},
                    ],
                    "isError": True,
                    "_meta": {"asgi-stream/error": {"code": "x", "id": "e", "fields": {"a": "b"}}},
                }
            )
        ],
    ),
    (
        tool_call("m"),
        [
            FileMade(MODEL, "image/png", "data:image/png;base64,AAAA"),
            FileMade(MODEL, "audio/wav", "data:audio/wav;base64,AAAA"),
            FileMade(MODEL, "application/pdf", "data:application/pdf;base64,AAAA"),
            FileMade(MODEL, "text/csv", "https://example.com/a.csv"),
            FINISHED,
        ],
        [
            result(
                {
                    **OK,
                    "content": [
                        {"type": "image", "data": "AAAA", "mimeType": "image/png"},
                        {"type": "audio", "data": "AAAA", "mimeType": "audio/wav"},
                        {
                            "type": "resource",
                            "resource": {
                                "uri": "data:application/pdf",
                                "mimeType": "application/pdf",
                                "blob": "AAAA",
                            },
                        },
                        {
                            "type": "resource_link",
                            "uri": "https://example.com/a.csv",
                            "name": "a.csv",
                            "mimeType": "text/csv",
                        },
                    ],
                }
            )
        ],
    ),
    (
        tool_call("m"),
        [WAITS],
        [
            result(
                {
                    "content": [
                        {
                            "type": "text",
                            "text": "The call is interrupted and waits for an answer:"
                            ' [{"id":"i1","value":"Shall I?"}].',
                        }
                    ],
                    "structuredContent": {"interrupted": [{"id": "i1", "value": "Shall I?"}]},
                    "isError": False,
                }
            )
        ],
    ),
]


@pytest.mark.parametrize(("body", "events", "messages"), CASES)
def test_events_become_these_messages(body: Any, events: list[Event], messages: list[Any]) -> None:
    assert wire(parsed(body)[0], *events) == data(*messages)
    gatherer = parsed(body)[0]
    *_, gathered = (gatherer.gather(event) for event in events)
    end = events[-1]
    if isinstance(end, RunFinished):
        assert gatherer.document("r", gathered, end) == messages[-1]
    elif isinstance(end, RunError):
        assert gatherer.failure(end) == messages[-1]


def test_results_of_revisions_without_a_handshake_say_what_they_are() -> None:
    format, _ = parsed(*stateless(tool_call("m", token=1)))
    frames = wire(format, HELLO[0], FINISHED)
    whole = {**OK, "content": [{**TEXT, "text": "Hel"}], "_meta": SERVER}
    assert frames == data(progress(1, "Hel", 1), result({"resultType": "complete", **whole}))


def test_a_call_of_a_tool_is_a_run() -> None:
    spec = spec_of(tool_call("n", {"a": 1}))
    assert spec == RunSpec(input={"a": 1}, arguments=True, model="n")
    assert spec_of(message("tools/call", {"name": "m", "arguments": None})).input == {}
    in_a_session = spec_of(tool_call("m"), {"mcp-session-id": "s"})
    [cancels] = {document(cancelled(), {"mcp-session-id": "s"}).cancels}
    assert in_a_session.cancel_key == cancels is not None
    assert document(cancelled(2), {"mcp-session-id": "s"}).cancels != cancels
    assert document(cancelled(), {"mcp-session-id": "t"}).cancels != cancels


def cancelled(id: Any = 1) -> Any:
    return message("notifications/cancelled", {"requestId": id}, None)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (cancelled(), {}),
        (message("notifications/initialized", {}, None), {"mcp-session-id": "s"}),
        (cancelled(), {"mcp-session-id": "s", "mcp-protocol-version": NEWEST}),
    ],
)
def test_other_notifications_are_accepted_and_have_no_effect(body: Any, headers: Any) -> None:
    response = document(body, headers)
    assert (response.status, response.cancels) == (202, None)


@pytest.mark.parametrize(
    ("wanted", "offered"),
    [
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2025-03-26", "2025-11-25"),
        (NEWEST, "2025-11-25"),
        ("1.0", "2025-11-25"),
    ],
)
def test_a_handshake_agrees_on_a_revision(wanted: str, offered: str) -> None:
    response = document(message("initialize", {"protocolVersion": wanted}))
    about = response.body["result"]
    assert about["protocolVersion"] == offered
    assert about["capabilities"] == {"tools": {"listChanged": False}}
    assert about["serverInfo"]["name"] == "asgi_stream"
    again = document(message("initialize", {"protocolVersion": wanted}))
    assert response.headers["mcp-session-id"] != again.headers["mcp-session-id"]


def test_a_ping_has_an_empty_result() -> None:
    assert document(message("ping")).body == result({})


def test_without_a_handshake_a_client_discovers_the_server() -> None:
    about = document(*stateless(message("server/discover"))).body["result"]
    assert about["supportedVersions"] == [NEWEST, "2025-11-25", "2025-06-18"]
    assert (about["resultType"], about["_meta"]) == ("complete", SERVER)
    assert about["ttlMs"] > 0


TOOLS = [
    Tool("m", "Adds.", {"type": "object", "required": ["a"]}, {"type": "integer"}),
    Tool(
        "n",
        "Runs n.",
        {"type": "object", "properties": {"b": {}}},
        {"$ref": "#/$defs/X", "$defs": {}},
    ),
]


def listed(*request: Any, **about: Any) -> Any:
    response = document(*request, **about)
    assert response.tools is not None
    return response.tools(TOOLS)


def test_tools_are_listed_with_their_schemas() -> None:
    content = listed(message("tools/list"))["result"]
    assert content.keys() == {"tools"}
    first, second = content["tools"]
    assert (first["name"], first["description"]) == ("m", "Adds.")
    assert first["inputSchema"] == TOOLS[0].input
    assert first["outputSchema"]["properties"]["output"] == {"type": "integer"}
    assert second["description"] == "Runs n."
    assert "$defs" not in second["outputSchema"]["properties"]["output"]
    assert "thread_id" not in str(content)


def test_a_list_of_tools_may_be_kept_by_its_caller() -> None:
    content = listed(*stateless(message("tools/list")))["result"]
    assert (content["ttlMs"], content["cacheScope"]) == (60_000, "private")


def test_tools_on_threads_take_a_thread_and_an_answer() -> None:
    first, second = listed(message("tools/list"), threads=True)["result"]["tools"]
    assert first["inputSchema"]["properties"].keys() == {"thread_id", "resume"}
    assert "required" not in first["inputSchema"]
    assert second["inputSchema"]["properties"].keys() == {"b", "thread_id", "resume"}
    assert "thread_id" in first["outputSchema"]["properties"]


META = {"io.modelcontextprotocol/protocolVersion": NEWEST}
OLD = {"mcp-protocol-version": "2025-11-25"}
NEW = {"mcp-protocol-version": NEWEST}
BAD: list[tuple[Any, Any, tuple[int, int, str]]] = [
    ([message("ping")], {}, (400, -32600, "batches are not part of the protocol since")),
    ("x", {}, (400, -32600, "expected a JSON-RPC 2.0 request")),
    ({"jsonrpc": "1.0", "method": "ping"}, {}, (400, -32600, "expected a JSON-RPC 2.0")),
    ({"jsonrpc": "2.0", "id": 1, "result": {}}, {}, (400, -32600, "this server sends no")),
    ({"jsonrpc": "2.0", "id": 1, "error": {}}, {}, (400, -32600, "this server sends no")),
    ({"jsonrpc": "2.0", "id": None, "method": "ping"}, {}, (400, -32600, "id: expected")),
    ({"jsonrpc": "2.0", "id": True, "method": "ping"}, {}, (400, -32600, "id: expected")),
    ({"jsonrpc": "2.0", "id": 1, "method": 1}, {}, (400, -32600, "expected a JSON-RPC")),
    (message("ping", [1]), {}, (200, -32602, "params: expected an object")),
    (message("ping", [1], None), {}, (400, -32602, "params: expected an object")),
    (message("ping", {"_meta": 1}), {}, (200, -32602, "params._meta: expected an object")),
    (message("resources/list"), {}, (200, -32601, "Unknown method 'resources/list'")),
    (message("prompts/list"), OLD, (200, -32601, "Unknown method 'prompts/list'")),
    (message("server/discover"), OLD, (200, -32601, "Unknown method 'server/discover'")),
    (*stateless(message("ping")), (404, -32601, "Unknown method 'ping'")),
    (*stateless(message("initialize")), (404, -32601, "Unknown method 'initialize'")),
    (message("x\r\n" * 400), {}, (200, -32601, "Unknown method 'x")),
    (message("initialize"), {}, (200, -32602, "params.protocolVersion: expected a string")),
    (message("tools/list", {"cursor": "x"}), {}, (200, -32602, "params.cursor: there are no")),
    (message("tools/call"), {}, (200, -32602, "params.name: unknown tool None; available: m and")),
    (tool_call("x"), {}, (200, -32602, "params.name: unknown tool 'x'; available: m and n")),
    *(
        (
            message("tools/call", {"name": "m", "arguments": value}),
            {},
            (200, -32602, "params.arguments: expected an object"),
        )
        for value in ([1], [], "", 0, False)
    ),
    (tool_call("m", token=[1]), {}, (200, -32602, "params._meta.progressToken: expected a")),
    (
        tool_call("m", token="x" * 1001),
        {},
        (200, -32602, "params._meta.progressToken: expected at most 1000 characters"),
    ),
    (tool_call("m", token=True), {}, (200, -32602, "params._meta.progressToken: expected a")),
    (message("ping"), {"mcp-protocol-version": "x"}, (400, -32022, "Unsupported protocol version")),
    (message("x", {}, None), {"mcp-protocol-version": "x"}, (400, -32022, "Unsupported")),
    (message("tools/list"), NEW, (400, -32602, "params._meta.io.modelcontextprotocol/protocol")),
    (message("x", {"_meta": META}), NEW, (400, -32602, "params._meta.io.modelcontextprotocol/cl")),
    (*stateless(message("x"), can=1), (400, -32602, "params._meta.io.modelcontextprotocol/cl")),
    (stateless(message("x"))[0], {}, (400, -32020, "the header mcp-protocol-version does not")),
    (stateless(message("x"))[0], OLD, (400, -32020, "the header mcp-protocol-version does not")),
    (stateless(message("x"))[0], NEW, (400, -32020, "the header mcp-method does not have")),
    (
        stateless(tool_call("m"))[0],
        {**NEW, "mcp-method": "tools/call", "mcp-name": "=?base64?bQ?="},
        (400, -32020, "the header mcp-name does not have"),
    ),
    (
        stateless(message("x", {"_meta": {**META, next(iter(META)): "2025-11-25"}}))[0],
        {**OLD, "mcp-method": "x"},
        (400, -32022, "Unsupported protocol version"),
    ),
]


@pytest.mark.parametrize(("body", "headers", "expected"), BAD)
def test_a_request_that_is_not_valid_is_refused(
    body: Any, headers: Any, expected: tuple[int, int, str]
) -> None:
    status, code, text = refusal(body, headers)
    assert (status, code, text[: len(expected[2])]) == expected
    assert len(text) < 500
    known = isinstance(body, dict) and type(body.get("id")) is int and code != -32600
    assert document(body, headers).body["id"] == (1 if known else None)


def test_a_refusal_says_which_revisions_are_known_and_where_a_parameter_is() -> None:
    data = document(message("ping"), {"mcp-protocol-version": "x"}).body["error"]["data"]
    assert data == {"supported": [NEWEST, "2025-11-25", "2025-06-18"], "requested": "x"}
    fields = document(tool_call("m", [1])).body["error"]["data"]["fields"]
    assert fields == {"params.arguments": "expected an object"}


def test_names_in_headers_may_be_encoded() -> None:
    body, headers = stateless(tool_call("m"))
    for value in ("m", "\tm ", f" =?base64?{b64encode(b'm').decode()}?= "):
        assert spec_of(body, {**headers, "mcp-name": value}).model == "m"


@pytest.mark.parametrize(
    ("status", "code"), [(400, -32700), (401, -32600), (422, -32600), (500, -32603), (503, -32603)]
)
def test_what_is_refused_before_it_is_parsed_is_an_error_without_an_id(
    status: int, code: int
) -> None:
    body, media_type = McpFormat.refusal(RunError("x", "No.", "e", status, fields={"a": "b"}))
    data = {"code": "x", "id": "e", "fields": {"a": "b"}}
    assert media_type == "application/json"
    assert json.loads(body) == {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": code, "message": "No.", "data": data},
    }


def test_only_a_call_of_a_tool_fails_as_a_tool() -> None:
    assert parsed(tool_call("m"))[0].failure(FAILED) is not None
    assert parsed(message("tools/list"))[0].failure(FAILED) is None


# Threads.


def on_thread(body: Any, headers: Any = None, **about: Any) -> RunSpec:
    return spec_of(body, headers, threads=True, **about)


def test_an_argument_names_the_thread() -> None:
    spec = on_thread(tool_call("m", {"a": 1, "thread_id": "t"}))
    assert (spec.thread, spec.input, spec.answers, spec.resumes) == ("t", {"a": 1}, (), False)
    assert on_thread(tool_call("m", {"a": 1}), thread="q").thread == "q"
    assert len(on_thread(tool_call("m")).thread or "") == 36
    for value in ("", 1):
        with pytest.raises(InvalidInput, match="thread_id: expected text"):
            on_thread(tool_call("m", {"thread_id": value}))


def test_an_argument_answers_an_interrupt() -> None:
    spec = on_thread(tool_call("m", {"resume": "yes", "thread_id": "t"}))
    assert spec.answers == [Answer(value="yes")]
    assert (spec.input, spec.resumes) == (None, False)
    several = on_thread(tool_call("m", {"resume": {INTERRUPT: 1}, "thread_id": "t"}))
    assert [each.interrupt for each in several.answers] == [INTERRUPT]


def test_an_answer_is_not_lost_among_other_arguments() -> None:
    arguments = {"resume": "yes", "a": 1, "thread_id": "t"}
    with pytest.raises(InvalidInput, match="resume: expected no other argument"):
        on_thread(tool_call("m", arguments))
    # Models fill in null for what they leave out.
    assert on_thread(tool_call("m", {**arguments, "resume": None})).input == {"a": 1}


def test_a_thread_alone_goes_on_from_where_it_stands() -> None:
    assert on_thread(tool_call("m", {"thread_id": "t"})).resumes
    assert not on_thread(tool_call("m")).resumes


def test_a_result_says_how_to_answer_and_names_the_thread() -> None:
    format, _ = parsed(tool_call("m", {"thread_id": "t"}), threads=True)
    content = json.loads(wire(format, WAITS).removeprefix("data: "))["result"]
    assert 'with thread_id "t" and the answer as resume' in content["content"][0]["text"]
    assert content["structuredContent"]["thread_id"] == "t"


def test_other_results_name_the_thread_too() -> None:
    format, _ = parsed(tool_call("m", {"thread_id": "t"}), threads=True)
    content = json.loads(wire(format, FINISHED).removeprefix("data: "))["result"]
    assert content["structuredContent"] == {"output": {"x": 1}, "thread_id": "t"}


# Questions to the client's user.


def asked_for(*interrupts: Interrupt, can: Any = ELICITS, threads: bool = True) -> Any:
    call = tool_call("m", {"thread_id": "t"} if threads else {})
    format, _ = parsed(*stateless(call, can), threads=threads)
    end = RunFinished(RUN, None, interrupts)
    return json.loads(wire(format, end).removeprefix("data: "))["result"]


def forms(*interrupts: Interrupt) -> dict[str, Any]:
    content = asked_for(*interrupts)
    assert (content["resultType"], content["requestState"]) == ("input_required", "t")
    assert content["_meta"] == SERVER
    questions: dict[str, Any] = content["inputRequests"]
    assert {each["method"] for each in questions.values()} == {"elicitation/create"}
    assert {each["params"]["mode"] for each in questions.values()} == {"form"}
    return {key: each["params"] for key, each in questions.items()}


PERSON = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "number"}}}


@pytest.mark.parametrize(
    ("value", "schema", "key", "text", "fields"),
    [
        ("Shall I?", None, "field:i", "Shall I?", {"answer": {"type": "string"}}),
        ({"message": "Why?"}, None, "field:i", "Why?", {"answer": {"type": "string"}}),
        ({"question": "Who?"}, PERSON, "fields:i", "Who?", PERSON["properties"]),
        ([1], {"type": "boolean"}, "field:i", "[1]", {"answer": {"type": "boolean"}}),
    ],
)
def test_a_question_is_a_form(value: Any, schema: Any, key: str, text: str, fields: Any) -> None:
    form = forms(Interrupt("i", value, schema))
    assert form.keys() == {key}
    assert form[key]["message"] == text
    assert form[key]["requestedSchema"]["properties"] == fields


def approval(id: str = "c", *allowed: str, text: str = "") -> Approval:
    return Approval(id, "refund", {"order": 1}, text, allowed)


def test_approvals_are_forms_of_their_own() -> None:
    first, second = approval("c1"), approval("c2", "edit", "reject", "approve", text="Sure?")
    questions = forms(Interrupt("i", None, approvals=(first, second)), Interrupt("j", "Why?"))
    assert [*questions] == ["call:c1", "call:c2", "field:j"]
    assert questions["call:c1"]["message"] == 'May refund be called with {"order":1}?'
    assert questions["call:c2"]["message"] == "Sure?"
    kinds = [
        questions[f"call:{id}"]["requestedSchema"]["properties"]["decision"]["enum"]
        for id in ("c1", "c2")
    ]
    assert kinds == [["approve", "reject", "respond"], ["approve", "reject"]]


NESTED = {"type": "object", "properties": {"a": {"type": "array"}}}
FITS = Interrupt("i", "Why?")


@pytest.mark.parametrize(
    "interrupts",
    [
        [Interrupt("i", "?", NESTED)],
        [Interrupt("i", "?", {"type": "array"})],
        [Interrupt("i", "?", True)],
        [FITS, Interrupt("breakpoint", {"when": "breakpoint"})],
        [Interrupt("i", None, approvals=(approval("c", "edit"),))],
        [Interrupt("i", None, approvals=(approval("c"), approval("")))],
    ],
)
def test_what_fits_no_form_is_in_the_result(interrupts: list[Interrupt]) -> None:
    content = asked_for(*interrupts)
    assert content["resultType"] == "complete"
    assert len(content["structuredContent"]["interrupted"]) == len(interrupts)


@pytest.mark.parametrize(
    "about",
    [{"can": {}}, {"can": {"elicitation": {"url": {}}}}, {"can": {"elicitation": 1}}],
)
def test_only_a_client_that_can_ask_is_made_to(about: Any) -> None:
    assert asked_for(FITS, **about)["resultType"] == "complete"


def test_without_a_thread_nobody_is_asked() -> None:
    assert asked_for(FITS, threads=False)["resultType"] == "complete"
    assert asked_for(FITS, can={"elicitation": {"form": {}}})["resultType"] == "input_required"


def answered(**responses: Any) -> RunSpec:
    answers = {key.replace("__", ":"): response for key, response in responses.items()}
    body, headers = stateless(tool_call("m", {"a": 1}), inputResponses=answers, requestState="t")
    return on_thread(body, headers)


def test_a_repeated_call_has_the_answers() -> None:
    spec = answered(
        field__i={"action": "accept", "content": {"answer": "yes"}},
        fields__j={"action": "accept", "content": {"name": "Ann"}},
        field__k={"action": "cancel"},
        fields__l={"action": "decline", "content": {"name": "x"}},
        call__c1={"action": "accept", "content": {"decision": "approve", "message": "x"}},
        call__c2={"action": "accept", "content": {"decision": "reject", "message": "no"}},
        call__c3={"action": "decline"},
        other={"action": "accept"},
    )
    assert (spec.thread, spec.input, spec.resumes) == ("t", None, False)
    assert [(each.interrupt or each.call, each.value) for each in spec.answers] == [
        ("i", "yes"),
        ("j", {"name": "Ann"}),
        ("k", {"action": "cancel"}),
        ("l", {"action": "decline"}),
        ("c1", {"type": "approve"}),
        ("c2", {"type": "reject", "message": "no"}),
        ("c3", {"type": "reject"}),
    ]


def test_a_repeated_call_without_answers_asks_again() -> None:
    spec = answered()
    assert (spec.thread, spec.resumes) == ("t", True)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"requestState": 1}, "params.requestState: expected text"),
        ({"inputResponses": [1]}, "params.inputResponses: expected an object"),
        ({"inputResponses": []}, "params.inputResponses: expected an object"),
        (
            {"inputResponses": {"x": {"action": "accept", "content": ""}}},
            "params.inputResponses.x.content: expected an object",
        ),
        ({"inputResponses": {"field:i": 1}}, "params.inputResponses.field:i.action: expected one"),
        (
            {"inputResponses": {"x": {"action": "accept", "content": [1]}}},
            "params.inputResponses.x.content: expected an object",
        ),
    ],
)
def test_answers_that_are_not_valid_are_refused(more: Any, problem: str) -> None:
    body, headers = stateless(tool_call("m"), **{"requestState": "t", **more})
    status, code, text = refusal(body, headers, threads=True)
    assert (status, code, text[: len(problem)]) == (400, -32602, problem)


# What a client reads.


@pytest.mark.parametrize(
    ("value", "events"),
    [
        (progress(1, "Hel"), [TextDelta(MODEL, "Hel")]),
        ({"jsonrpc": "2.0", "method": "notifications/message", "params": {}}, []),
        (result(ERROR), [("run_failed", "The run failed.", "e1")]),
        (result({"isError": True, "content": [{"text": "No."}]}), [("", "No.", "")]),
        (result({"isError": True}), [("", "", "")]),
        # Of other servers.
        (result({"isError": True, "content": [1]}), [("", "", "")]),
        (result({"isError": True, "content": {"a": 1}, "_meta": None}), [("", "", "")]),
        (result({"isError": True, "content": [{"text": 5}]}), [("", "", "")]),
        (result({"isError": True, "_meta": {"asgi-stream/error": 3}}), [("", "", "")]),
        (result({"structuredContent": [1]}), [RunFinished(DECODED, None, [])]),
        (result({"structuredContent": {"interrupted": 3}}), [RunFinished(DECODED, None, [])]),
        (
            {"error": {"code": -32602, "message": "no", "data": {"code": "x", "id": "e"}}},
            [("x", "no", "e")],
        ),
        ({"error": {"code": -32602, "message": "no"}}, [("-32602", "no", "")]),
    ],
)
def test_messages_are_decoded(value: Any, events: list[Any]) -> None:
    decoded = McpFormat().decode(Frame("", json.dumps(value)))
    assert [
        (each.code, each.message, each.id)
        if isinstance(each, RunError)
        else TextDelta(MODEL, each.text)
        if isinstance(each, TextDelta)
        else each
        for each in decoded
    ] == events


def test_a_stream_of_messages_is_recognized() -> None:
    assert McpFormat.recognizes(Frame("", json.dumps(progress(1, "a"))))
    assert not McpFormat.recognizes(Frame("", '{"token": "a"}'))

"""Tools of the client's that are not plain functions, in OpenAI's Responses."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_stream.events import Event, ToolCallDelta, ToolCalled, ToolCallStarted, ToolFinished
from asgi_stream.formats.openai import OpenAIFormat

from .script import FINISHED, TOOL, refused
from .test_responses import ADD, BEGUN, RUN_ID, messages_of, of_types, sent, spec_of

GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}
PATCH = {"type": "custom", "name": "patch", "description": "Patches.", "format": GRAMMAR}
TEAM = {"type": "namespace", "name": "team", "description": "", "tools": [ADD, PATCH]}
SEARCH = {"type": "web_search"}


def called(name: str, *arguments: str) -> list[Event]:
    return [
        *BEGUN,
        ToolCallStarted(TOOL, "c", name, "m", at_client=True),
        *[ToolCallDelta(TOOL, "c", piece) for piece in arguments],
        ToolCalled(TOOL, "c", name, {}),
        FINISHED,
    ]


def names_in(**body: Any) -> list[str]:
    return [tool["function"]["name"] for tool in spec_of(**body).tools or ()]


def test_a_custom_tool_is_a_function_to_the_model() -> None:
    [tool] = spec_of(tools=[PATCH]).tools or ()
    function = tool["function"]
    assert function["name"] == "patch"
    assert function["description"] == (
        "Patches.\n\nThe input follows this lark grammar:\nstart: /.+/"
    )
    assert function["parameters"]["required"] == ["input"]
    [plain] = spec_of(tools=[{"type": "custom", "name": "note"}]).tools or ()
    assert plain["function"]["description"] == ""
    assert spec_of(tools=[PATCH], tool_choice={"type": "custom", "name": "patch"}).tool_choice == (
        "patch"
    )


@pytest.mark.parametrize("written", [('{"inp', 'ut": "a\\nb"}'), ("a\nb",), ('{"input": "a\\nb',)])
def test_a_call_of_a_custom_tool_has_its_input_as_text(written: Any) -> None:
    events = sent(called("patch", *written), tools=[PATCH])
    assert of_types(events)[2:] == [
        *("output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done"),
        *("output_item.done", "completed"),
    ]
    item = {"id": f"ctc_{RUN_ID}0", "type": "custom_tool_call", "call_id": "c", "name": "patch"}
    assert events[-1]["response"]["output"] == [{**item, "input": "a\nb"}]


def test_tools_of_a_namespace() -> None:
    assert names_in(tools=[ADD, TEAM]) == ["add", "team__add", "team__patch"]
    [call] = sent(called("team__add", "{}"), tools=[ADD, TEAM])[-1]["response"]["output"]
    assert (call["type"], call["namespace"], call["name"]) == ("function_call", "team", "add")
    [call] = sent(called("team__patch", "{}"), tools=[ADD, TEAM])[-1]["response"]["output"]
    assert (call["type"], call["namespace"], call["name"]) == ("custom_tool_call", "team", "patch")
    [call] = sent(called("add", "{}"), tools=[ADD, TEAM])[-1]["response"]["output"]
    assert "namespace" not in call


def test_calls_of_them_in_the_conversation() -> None:
    assert messages_of(
        {"type": "function_call", "call_id": "c", "namespace": "team", "name": "add"}
        | {"arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "d", "name": "patch", "input": "a"},
        {"type": "function_call_output", "call_id": "c", "output": "1"},
        {"type": "custom_tool_call_output", "call_id": "d", "output": "2"},
    ) == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "c", "name": "team__add", "args": {}},
                {"id": "d", "name": "patch", "args": {"input": "a"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c", "content": "1"},
        {"role": "tool", "tool_call_id": "d", "content": "2"},
    ]


def test_tools_that_an_item_adds() -> None:
    added = {"type": "additional_tools", "role": "developer", "tools": [TEAM]}
    question = {"role": "user", "content": "Hi"}
    assert names_in(input=[added, question], tools=[ADD]) == ["add", "team__add", "team__patch"]
    assert messages_of(added, question) == [question]


def test_the_server_s_own_tools_may_be_named_and_are_no_others() -> None:
    own = {"type": "mcp", "server_label": "asgi_stream", "require_approval": "always"}
    spec = spec_of(tools=[own])
    assert not spec.tools
    assert not spec.dropped
    elsewhere = {**own, "server_label": "files"}
    body = {"model": "x", "input": "Hi", "tools": [elsewhere]}
    assert refused(OpenAIFormat(), body, endpoint="/responses", models=("x",)) == "tools.0"


def test_hosted_tools_beside_others_are_left_out() -> None:
    spec = spec_of(tools=[SEARCH, ADD])
    assert [tool["function"]["name"] for tool in spec.tools or ()] == ["add"]
    assert spec.dropped == {"the tool 'web_search'"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"tools": [SEARCH]}, "tools.0"),
        ({"tools": [{**TEAM, "tools": [TEAM]}]}, "tools.0.tools.0"),
        ({"tools": [{**TEAM, "tools": 1}]}, "tools.0"),
        ({"tools": [{"type": "custom"}]}, "tools.0"),
        ({"input": [{"type": "additional_tools", "tools": 1}]}, "input.0.tools"),
        ({"input": [{"type": "custom_tool_call", "call_id": "c", "name": "a"}]}, "input.0.input"),
    ],
)
def test_what_is_not_accepted_is_named(body: Any, field: str) -> None:
    whole = {"model": "x", "input": "Hi", **body}
    assert refused(OpenAIFormat(), whole, endpoint="/responses", models=("x",)) == field


def test_a_tool_of_the_run_s_may_have_the_name_of_a_client_s() -> None:
    own: list[Event] = [
        ToolCallStarted(TOOL, "o", "add", "m"),
        ToolCalled(TOOL, "o", "add", {}),
    ]
    events = sent([*BEGUN, *own, ToolFinished(TOOL, "o", "add", "2"), FINISHED], tools=[ADD])
    assert events[-1]["response"]["output"][0]["type"] == "mcp_call"
    # A graph that takes the client's tools, and runs one of its own with such a name.
    whole = called("add", "{}")
    result = ToolFinished(TOOL, "c", "add", "2")
    events = sent([*whole[:-1], result, FINISHED], tools=[ADD])
    assert of_types(events) == of_types(sent(whole, tools=[ADD]))

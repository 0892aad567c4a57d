"""The request of OpenAI's Responses, besides its items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ...errors import InvalidRequest
from .._content import INSTRUCTIONS, refused, text_of
from .._openai.request import (
    model_name,
    offered_tools,
    parameters,
    response_format_of,
    switch,
)
from .._spec import FormatRequest, RunSpec
from .input import input_messages
from .object import repeated
from .questions import QUESTION
from .recall import PREVIOUS, EarlierResponses, without_references
from .tools import ClientTool, client_tools

NOT_OFFERED = ("conversation", "prompt")


class ResponseRequest(NamedTuple):
    """A request for a response.

    Attributes:
        spec: The run that it asks for.
        fields: The fields of the response that repeat the request.
        client_tools: The tools that the client executes, by the names by which the model knows
            them.
        approvals: See `EarlierResponses`.
    """

    spec: RunSpec
    fields: dict[str, Any]
    client_tools: Mapping[str, ClientTool]
    approvals: Mapping[str, str]


def response_request(request: FormatRequest) -> ResponseRequest:
    """Return what a request asks for.

    Raises:
        StreamError: The request is not valid, or asks for what this server does not offer.
    """
    body = request.body
    if not isinstance(body, dict):
        raise refused("body", "expected an object")
    model = model_name(body.get("model"), request.models)
    _check_offered(request)
    dropped: set[str] = set()
    tools = client_tools(body, dropped)
    tools.pop(QUESTION, None)  # the client answers the graph with it, not the model
    earlier = EarlierResponses(request, lambda items: _conversation(body, items, dropped))
    stored = request.resumable and body.get("store") is not False
    streams, background = switch(body, "stream"), switch(body, "background")
    messages_of = _conversation if earlier.recall is None else _messages
    spec = RunSpec(
        messages=messages_of(body, without_references(body.get("input")), dropped),
        dropped=dropped,
        model=model,
        tools=offered_tools([tool.function for tool in tools.values()], body.get("tool_choice")),
        tool_choice=_tool_choice(body.get("tool_choice")),
        response_format=_text_format(body.get("text")),
        response_format_path="text.format",
        configurable=parameters(body, request.configurable),
        gathered=not (streams or background),
        stored=stored,
        background=background and not streams,
        unattended=background,
        seeds=True,
        ephemeral=request.threads and not stored,
        recall=earlier.recall,
    )
    fields = repeated(body, model, stored=stored)
    return ResponseRequest(spec, fields, tools, earlier.approvals)


def _conversation(body: Mapping[str, Any], items: Any, dropped: set[str]) -> list[dict[str, Any]]:
    """Return the conversation in a request, which must not be empty."""
    messages = _messages(body, items, dropped)
    if not messages:
        raise refused("input", "expected at least one message")
    return messages


def _messages(body: Mapping[str, Any], items: Any, dropped: set[str]) -> list[dict[str, Any]]:
    """Return the conversation in a request, with these items as its input."""
    messages = input_messages(items, dropped)
    if instructions := body.get("instructions"):
        text = text_of("instructions", instructions)
        messages = [{"role": "system", "content": text, "id": INSTRUCTIONS}, *messages]
    return messages


def _check_offered(request: FormatRequest) -> None:
    body, resumable = request.body, request.resumable
    goes_on = request.threads and resumable
    instead = f"use {PREVIOUS}" if goes_on else "send all items in input"
    for key in NOT_OFFERED if goes_on else (*NOT_OFFERED, PREVIOUS):
        if body.get(key) is not None:
            raise _not_offered(key, f"this server does not offer {key!r}; {instead}")
    if body.get("background") and not resumable:
        raise _not_offered("background", "this server has no responses in the background")
    if body.get("background") and body.get("store") is False:
        raise _not_offered("store", "a response in the background is stored")
    if body.get("top_logprobs"):
        raise _not_offered("top_logprobs", "this server does not offer log probabilities")


def _not_offered(key: str, problem: str) -> InvalidRequest:
    return InvalidRequest(f"{key}: {problem}.", fields={key: problem})


def _tool_choice(value: Any) -> str | None:
    """Return the ``tool_choice`` for LangChain's ``bind_tools``; None: the model decides."""
    match value:
        case None | "auto" | "none" | {"type": "allowed_tools", "mode": "auto"}:
            return None
        case "required" | {"type": "allowed_tools"}:
            return "any"
        case {"type": "function" | "custom", "name": str(name)}:
            return name
    raise refused("tool_choice", "expected auto, none, required or a function with its name")


def _text_format(text: Any) -> Mapping[str, Any] | None:
    """Return the form of the answer's text as Chat Completions has it; None: any."""
    form = text.get("format") if isinstance(text, dict) else text
    if isinstance(form, dict) and form.get("type") == "json_schema":
        schema = {key: value for key, value in form.items() if key != "type"}
        form = {"type": "json_schema", "json_schema": schema}
    return response_format_of(form, "text.format")

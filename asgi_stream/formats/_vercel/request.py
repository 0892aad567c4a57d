"""The request of the Vercel AI SDK: a chat as a list of ``UIMessage``, as neutral messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...errors import InvalidInput
from ...serialize import text_or_json
from .._content import Block, media_block, refused, simplest, text_block, text_of
from .._plain_request import answers_of
from .._spec import Answer, FormatRequest, RunSpec
from .approvals import DENIED

ANSWERED = {"output-available": "success", "output-error": "error", "output-denied": "error"}
UNANSWERED = ("input-streaming", "input-available", "approval-requested", "approval-responded")
FOR_MODELS = ("text", "file", "step-start")
NOT_FOR_MODELS = ("reasoning", "source-url", "source-document")
"""Parts that a message may have and that models do not get."""

REGENERATE = "regenerate-message"
"""The ``trigger`` of a request for another answer to the last message."""

Part = dict[str, Any]


def chat_spec(request: FormatRequest) -> tuple[RunSpec, Mapping[str, Any] | None]:
    """Return the run that a chat or a prompt asks for, and the message that its answer continues.

    An answer continues the last message if that is an assistant's, and the message in which a
    person has decided on tool calls: its id must not change then. With threads, the last message
    alone (``message``) is enough, and the chat's id is the thread's.

    Raises:
        InvalidInput: The body has no conversation. The error names the invalid field.
    """
    body = request.body if isinstance(request.body, dict) else {}
    if isinstance(body.get("prompt"), str) and "messages" not in body:
        return _spec(request, body, [{"role": "user", "content": body["prompt"]}]), None
    path = "messages"
    history: Any = body.get("messages")
    if request.threads and "messages" not in body and "message" in body:
        path, history = "message", [body["message"]]
    decided = _decisions(body) if request.threads else []
    if decided and history is None:
        return _spec(request, body, None, decided), None
    dropped: set[str] = set()
    messages = _conversation(path, history, dropped, on_thread=request.threads)
    continued = _continued(body, history) if request.threads else _last_answer(history)
    if request.threads and continued is not None and body.get("trigger") != REGENERATE:
        decided = [*_approvals(continued["parts"], decided), *decided]
    return _spec(request, body, messages, decided, dropped), continued


def _spec(
    request: FormatRequest,
    body: Mapping[str, Any],
    messages: Sequence[Any] | None,
    answers: Sequence[Answer] = (),
    dropped: set[str] | frozenset[str] = frozenset(),
) -> RunSpec:
    chat, trigger = body.get("id"), body.get("trigger")
    chat = chat if isinstance(chat, str) and chat else None
    return RunSpec(
        messages=messages,
        configurable={key: body[key] for key in request.configurable if key in body},
        gathered=False,
        conversation_id=chat,
        dropped=dropped,
        thread=chat,
        trigger=trigger if isinstance(trigger, str) else None,
        answers=answers,
        revises=trigger == REGENERATE or body.get("messageId") is not None,
    )


def _last_answer(history: Sequence[Any]) -> Mapping[str, Any] | None:
    last = history[-1] if history else {}
    return last if last.get("role") == "assistant" else None


def _continued(body: Mapping[str, Any], history: Sequence[Any]) -> Mapping[str, Any] | None:
    """Return the message that the answer continues; ``ai`` 7 may name one that is not the last."""
    if body.get("trigger") != REGENERATE and (named := body.get("messageId")) is not None:
        for each in history:
            if each.get("id") == named and each["role"] == "assistant":
                return each  # type: ignore[no-any-return]
    return _last_answer(history)


def _approvals(parts: Sequence[Part], decided: Sequence[Answer]) -> Iterator[Answer]:
    """Yield what a person has decided in a message, unless the body has another decision on it.

    A call that has a result is in another state, so decisions of earlier requests do not count.
    """
    calls = {each.call for each in decided}
    for part in parts:
        match part:
            case {
                "state": "approval-responded",
                "toolCallId": str(call),
                "approval": {"approved": bool(approved), **approval},
            } if call not in calls and _is_tool(part) and not approval.get("isAutomatic"):
                reason = approval.get("reason")
                message = {"message": reason} if isinstance(reason, str) and reason else {}
                value = {"type": "approve"} if approved else {"type": "reject", **message}
                yield Answer(call=call, value=value, path=f"approvals.{call}")


def _decisions(body: Mapping[str, Any]) -> list[Answer]:
    """Return the answers in fields of the body that are ours: ``decisions`` and ``resume``.

    The parts of the AI SDK can approve and reject only. ``{"decisions": {TOOL_CALL_ID: DECISION}}``
    takes any decision of LangChain's middleware, and ``resume`` the answers to other interrupts.
    """
    decisions = body.get("decisions", {})
    if not isinstance(decisions, dict):
        raise refused("decisions", "expected an object with a decision for each id of a tool call")
    answers = [
        Answer(call=call, value=value, path=f"decisions.{call}")
        for call, value in decisions.items()
    ]
    return [*answers, *answers_of(body["resume"])] if "resume" in body else answers


def _conversation(
    path: str, messages: Any, dropped: set[str], *, on_thread: bool = False
) -> list[Any]:
    """Return the ``UIMessage`` list of a chat as neutral messages.

    Args:
        path: Where in the request it is; ``message`` for a single one.
        messages: The list.
        dropped: Gets the kinds of parts that are left out.
        on_thread: Keep the ids of messages that are not the assistant's. Nothing of the assistant's
            is lost: the thread has it.

    Raises:
        InvalidInput: It is not such a list. The error names the invalid field.
    """
    if not isinstance(messages, list):
        raise refused(path, "expected a list of UIMessage")
    neutral: list[Any] = []
    for n, message in enumerate(messages):
        place = path if path == "message" else f"{path}.{n}"
        parts = message.get("parts") if isinstance(message, dict) else None
        if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
            raise refused(place, 'expected a UIMessage, {"role": ..., "parts": [...]}')
        match message.get("role"):
            case "system" | "user" as role:
                blocks = _blocks(f"{place}.parts", parts)
                id_ = message.get("id") if on_thread else None
                label = {"id": id_} if isinstance(id_, str) and id_ else {}
                neutral.append({"role": role, "content": simplest(blocks), **label})
            case "assistant" as role:
                lost = set[str]() if on_thread else dropped
                neutral += _assistant_messages(f"{place}.parts", parts, lost)
            case _:
                raise refused(f"{place}.role", 'expected "system", "user" or "assistant"')
        if role != "assistant" or not on_thread:
            dropped |= {_dropped_kind(role, part) for part in parts} - {""}
    return neutral


def _blocks(path: str, parts: list[Part]) -> list[Block]:
    blocks = []
    for n, part in enumerate(parts):
        match part.get("type"):
            case "text":
                blocks.append(text_block(f"{path}.{n}.text", part.get("text")))
            case "file":
                media_type = text_of(f"{path}.{n}.mediaType", part.get("mediaType"))
                url, name = part.get("url"), part.get("filename")
                blocks.append(media_block(f"{path}.{n}.url", media_type, url, name))
    return blocks


def _assistant_messages(path: str, parts: list[Part], dropped: set[str]) -> Iterator[Any]:
    """Yield the messages of an assistant's: each step's text and calls, then the results."""
    steps: list[list[Part]] = [[]]
    for part in parts:
        if part.get("type") == "step-start":
            steps.append([])
        elif part.get("type") != "file" or _is_reachable(part):
            steps[-1].append(part)
        else:
            dropped.add("unreachable files")
    for step in steps:
        tools = [part for part in step if _is_tool(part) and part.get("state") in list(ANSWERED)]
        blocks = _blocks(path, step)
        calls = [
            {"id": part.get("toolCallId"), "name": _tool_name(part), "args": _arguments(part)}
            for part in tools
        ]
        if blocks or calls:
            content = simplest(blocks)
            yield {"role": "assistant", "content": content} | (
                {"tool_calls": calls} if calls else {}
            )
        for part in tools:
            yield {
                "role": "tool",
                "tool_call_id": part.get("toolCallId"),
                "content": _result(part),
                "status": ANSWERED[part["state"]],
            }


def _dropped_kind(role: str, part: Part) -> str:
    """Return what the log calls a part that models do not get; ``""`` for all others."""
    type_, state = part.get("type"), part.get("state")
    if _is_tool(part):
        if role == "assistant" and state in list(ANSWERED):
            return ""
        return f"tool calls in state {state}" if state in UNANSWERED else "unknown parts"
    if type_ in FOR_MODELS:
        return ""
    if str(type_).startswith("data-"):
        return "data parts"
    return f"{type_} parts" if type_ in NOT_FOR_MODELS else "unknown parts"


def _is_tool(part: Part) -> bool:
    type_ = str(part.get("type"))
    return type_.startswith("tool-") or type_ == "dynamic-tool"


def _is_reachable(file: Part) -> bool:
    """Return whether a file's URL is accepted; that of a model's own file may not be public."""
    try:
        _blocks("", [file])
    except InvalidInput:
        return False
    return True


def _tool_name(part: Part) -> str:
    return str(part.get("toolName") or str(part.get("type")).removeprefix("tool-"))


def _arguments(part: Part) -> Any:
    arguments = part.get("input")
    return arguments if isinstance(arguments, dict) else {}


def _result(part: Part) -> str:
    if part["state"] == "output-denied":
        return DENIED
    output = part.get("output") if part["state"] == "output-available" else part.get("errorText")
    return text_or_json(output)

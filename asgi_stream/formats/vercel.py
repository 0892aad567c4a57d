"""The UI message stream of the Vercel AI SDK, version 1, for ``useChat`` and ``useCompletion``.

https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol, read in npm ``ai`` 7.0.173, whose frames are good
for ``ai`` 5 and 6 too: every tool part is ``dynamic``, and nothing is sent that only 7 knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from json.encoder import encode_basestring_ascii
from typing import Any, ClassVar

from ..errors import InvalidInput
from ..events import (
    ALL_EVENTS,
    BlockFinished,
    BlockStarted,
    Custom,
    Event,
    FileMade,
    ModelFinished,
    ModelStarted,
    ReasoningDelta,
    RunError,
    RunFinished,
    RunStarted,
    SourceFound,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    ToolCallResumed,
    ToolCallStarted,
    ToolFailed,
    ToolFinished,
)
from ..serialize import to_json
from ._content import Block, media_block, refused, simplest, text_block, text_of
from ._format import RUNS, Format, FormatRequest, RunSpec
from ._sse import DONE, ShortIds, data_frame, error_text

REASONS = {"tool_calls": "tool-calls", "content_filter": "content-filter"}
ANSWERED = {"output-available": "success", "output-error": "error", "output-denied": "error"}
UNANSWERED = ("input-streaming", "input-available", "approval-requested", "approval-responded")
TAKEN = ("text", "file", "step-start")
PARTS = ("reasoning", "source-url", "source-document")
"""Parts that a message may have and that are not for the model."""

Part = dict[str, Any]


class VercelFormat(Format):
    """One assistant message: its text, reasoning, tools, sources, files and data as parts.

    Tools that the run runs itself are ``providerExecuted``, so that the browser does not run them
    again; those that a chat model calls, served alone, are the browser's. Custom events are
    ``data-NAME`` parts, transient unless their data has an ``id``. Errors before the first frame
    are plain text, which the client shows. On a resumable route its ``stop()`` is only a
    disconnect: POST or DELETE to ``/{chat}/stream`` ends the run.
    """

    endpoints = (("POST", ""),)
    converses = True
    runs: ClassVar[Mapping[tuple[str, str], str]] = {
        **RUNS,
        ("GET", "/{place}/stream"): "join",
        ("POST", "/{place}/stream"): "stop",
        ("DELETE", "/{place}/stream"): "stop",
    }
    system_messages = False
    wants = ALL_EVENTS

    def __init__(self) -> None:
        self._run_id = ""
        self._continues = False
        self._shown: set[str] = set()
        """The calls in the message that the answer goes on with."""
        self._theirs: set[str] = set()
        """The calls of a chat model that is served alone, which are left to the client."""
        self._ids = ShortIds()
        self._in_step = False
        self._models = 0
        self._reason = "stop"
        self._usage: dict[str, int] = {}

    def parse(self, asked: FormatRequest) -> RunSpec:
        body = asked.body if isinstance(asked.body, dict) else {}
        dropped: set[str] = set()
        if isinstance(body.get("prompt"), str) and "messages" not in body:
            messages: list[Any] = [{"role": "user", "content": body["prompt"]}]
        else:
            given: Any = body.get("messages")
            messages = conversation(given, dropped)
            # Then the answer goes on with that message, whose id must stay.
            self._continues = bool(given) and given[-1].get("role") == "assistant"
            if self._continues:
                self._shown = {str(part.get("toolCallId")) for part in given[-1]["parts"]}
        chosen = {key: body[key] for key in asked.configurable if key in body}
        chat = body.get("id") if isinstance(body.get("id"), str) and body["id"] else None
        return RunSpec(
            messages=messages,
            configurable=chosen,
            gathered=False,
            place=chat,
            dropped=dropped,
            thread=chat,
        )

    def headers_of(self, run_id: str, *, resumable: bool = False) -> Mapping[str, str]:
        return {"x-vercel-ai-ui-message-stream": "v1"}

    def id_prefix(self, run_id: str) -> None:
        return None  # its client begins again at the first frame

    def gap(self, run_id: str, first: int, last: int) -> bytes:
        return b""

    def encode(self, event: Event) -> bytes:
        if isinstance(event, TextDelta):
            text = encode_basestring_ascii(event.text)
            id_ = self._ids[event.block]
            return f'data: {{"type":"text-delta","id":"{id_}","delta":{text}}}\n\n'.encode()
        frames = b"".join(map(data_frame, self._parts(event)))
        return frames + DONE if isinstance(event, (RunFinished, RunError)) else frames

    @classmethod
    def refusal(cls, error: RunError) -> tuple[bytes, str]:
        return error_text(error).encode(), "text/plain"

    def _parts(self, event: Event) -> Iterator[Part]:
        match event:
            case RunStarted(run_id=run_id):
                self._run_id = run_id
                yield {"type": "start"} | ({} if self._continues else {"messageId": run_id})
            case ModelStarted():
                # Models that speak at once share a step: its end ends every part in it.
                if not self._models:
                    yield from self._end_step()
                    self._in_step = True
                    yield {"type": "start-step"}
                self._models += 1
            case ModelFinished(reason=reason):
                self._models -= 1
                self._reason = reason
                self._count(event.usage)
            case BlockStarted(step=step, block=block, kind=kind):
                agent = {"providerMetadata": {"langchain": {"agent": step.agent}}}
                begun = {"type": f"{kind}-start", "id": self._ids[block]}
                yield begun | (agent if step.agent else {})
            case ReasoningDelta(block=block, text=text):
                yield {"type": "reasoning-delta", "id": self._ids[block], "delta": text}
            case BlockFinished(block=block, kind=kind):
                yield {"type": f"{kind}-end", "id": self._ids[block]}
            case SourceFound(source_id=id_, title=title):
                source = {"sourceId": id_, "title": title}
                if event.url is None:
                    yield {"type": "source-document", "mediaType": event.media_type, **source}
                else:
                    yield {"type": "source-url", "url": event.url, **source}
            case FileMade(media_type=media_type, url=url):
                yield {"type": "file", "url": url, "mediaType": media_type}
            case Custom(name=name, data=data):
                given = data.get("id") if isinstance(data, Mapping) else None
                kept: Part = {"id": given} if isinstance(given, str) else {"transient": True}
                yield {"type": f"data-{name}", "data": data, **kept}
            case RunFinished(interrupts=interrupts):
                for each in interrupts:
                    question = {"id": each.id, "value": each.value}
                    yield {"type": "data-interrupt", "id": each.id, "data": question}
                yield from self._end_step()
                usage = {"messageMetadata": {"usage": self._usage}} if self._usage else {}
                reason = REASONS.get(self._reason, self._reason)
                yield {"type": "finish", "finishReason": reason, **usage}
            case RunError(code="cancelled"):
                yield {"type": "abort"}
            case RunError():
                yield {"type": "error", "errorText": error_text(event)}
            case _:
                yield from self._tool_parts(event)

    def _tool_parts(self, event: Event) -> Iterator[Part]:
        match event:
            case ToolCallStarted(call_id=id_, name=name, message=message):
                if message == self._run_id and not event.hosted:
                    self._theirs.add(id_)
                yield {"type": "tool-input-start", "toolName": name, **self._tool(id_)}
            case ToolCallDelta(call_id=id_, text=text):
                yield {"type": "tool-input-delta", "toolCallId": id_, "inputTextDelta": text}
            case ToolCalled(call_id=id_, name=name, arguments=arguments, valid=valid):
                kind, told = "tool-input-available", {}
                if not valid:
                    kind, told = "tool-input-error", {"errorText": "The arguments are not JSON."}
                named = {"toolName": name, "input": arguments}
                yield {"type": kind, **named, **told, **self._tool(id_)}
            case ToolCallResumed(call_id=id_, name=name, arguments=given) if id_ not in self._shown:
                # Its client looks for a call in the message that the answer is in, and stops.
                named = {"toolName": name, "input": given}
                yield {"type": "tool-input-available", **named, **self._tool(id_)}
            case ToolFinished(call_id=id_, output=output):
                yield {"type": "tool-output-available", "output": output, **self._tool(id_)}
            case ToolFailed(call_id=id_, message=message):
                yield {"type": "tool-output-error", "errorText": message, **self._tool(id_)}

    def _tool(self, call_id: str) -> Part:
        ours = {} if call_id in self._theirs else {"providerExecuted": True}
        return {"toolCallId": call_id, "dynamic": True, **ours}

    def _end_step(self) -> Iterator[Part]:
        if self._in_step:
            self._in_step = False
            yield {"type": "finish-step"}

    def _count(self, usage: Mapping[str, Any]) -> None:
        inner = usage.get("input_token_details") or {}, usage.get("output_token_details") or {}
        counts = {
            "inputTokens": usage.get("input_tokens"),
            "outputTokens": usage.get("output_tokens"),
            "totalTokens": usage.get("total_tokens"),
            "cachedInputTokens": inner[0].get("cache_read"),
            "reasoningTokens": inner[1].get("reasoning"),
        }
        for name, count in counts.items():
            if count:
                self._usage[name] = self._usage.get(name, 0) + count


def conversation(messages: Any, dropped: set[str]) -> list[Any]:
    """The ``UIMessage`` list that a chat sends, as neutral messages.

    Args:
        messages: The list.
        dropped: Takes the kinds of parts that are left out.

    Raises:
        InvalidInput: It is not such a list. The error names the place.
    """
    if not isinstance(messages, list):
        raise refused("messages", "expected a list of UIMessage")
    said: list[Any] = []
    for n, message in enumerate(messages):
        path = f"messages.{n}"
        parts = message.get("parts") if isinstance(message, dict) else None
        if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
            raise refused(path, 'expected a UIMessage, {"role": ..., "parts": [...]}')
        match message.get("role"):
            case "system" | "user" as role:
                blocks = _blocks(f"{path}.parts", parts)
                said.append({"role": role, "content": simplest(blocks)})
            case "assistant" as role:
                said += _answers(f"{path}.parts", parts, dropped)
            case _:
                raise refused(f"{path}.role", 'expected "system", "user" or "assistant"')
        dropped |= {_left_out(role, part) for part in parts} - {""}
    return said


def _blocks(path: str, parts: list[Part]) -> list[Block]:
    found = []
    for n, part in enumerate(parts):
        match part.get("type"):
            case "text":
                found.append(text_block(f"{path}.{n}.text", part.get("text")))
            case "file":
                media_type = text_of(f"{path}.{n}.mediaType", part.get("mediaType"))
                url, name = part.get("url"), part.get("filename")
                found.append(media_block(f"{path}.{n}.url", media_type, url, name))
    return found


def _answers(path: str, parts: list[Part], dropped: set[str]) -> Iterator[Any]:
    """What an assistant's message stands for: each step's words and calls, then the answers."""
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
                "content": _answer(part),
                "status": ANSWERED[part["state"]],
            }


def _left_out(role: str, part: Part) -> str:
    """What the log calls a part that has no place in a model's conversation; "" of all others."""
    type_, state = part.get("type"), part.get("state")
    if _is_tool(part):
        if role == "assistant" and state in list(ANSWERED):
            return ""
        return f"tool calls in state {state}" if state in UNANSWERED else "unknown parts"
    if type_ in TAKEN:
        return ""
    if str(type_).startswith("data-"):
        return "data parts"
    return f"{type_} parts" if type_ in PARTS else "unknown parts"


def _is_tool(part: Part) -> bool:
    type_ = str(part.get("type"))
    return type_.startswith("tool-") or type_ == "dynamic-tool"


def _is_reachable(file: Part) -> bool:
    """Whether a file's URL is one that is taken; a model's may be its provider's own."""
    try:
        _blocks("", [file])
    except InvalidInput:
        return False
    return True


def _tool_name(part: Part) -> str:
    return str(part.get("toolName") or str(part.get("type")).removeprefix("tool-"))


def _arguments(part: Part) -> Any:
    given = part.get("input")
    return given if isinstance(given, dict) else {}


def _answer(part: Part) -> str:
    if part["state"] == "output-denied":
        return "The user does not allow this call."
    given = part.get("output") if part["state"] == "output-available" else part.get("errorText")
    return given if isinstance(given, str) else to_json(given).decode()

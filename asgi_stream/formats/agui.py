"""The Agent-User Interaction Protocol, AG-UI 1.0, for ``HttpAgent`` and what is built on it.

https://docs.ag-ui.com/concepts/events, read in npm ``@ag-ui/client`` 1.0.0 and 0.0.59. Only events
that both know are sent, and absent fields are left out, never null.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from json.encoder import encode_basestring_ascii
from typing import Any

from ..events import (
    ALL_EVENTS,
    BlockFinished,
    BlockStarted,
    Custom,
    Event,
    FileMade,
    ModelFinished,
    ModelStarted,
    NodeFinished,
    NodeStarted,
    OutputChunk,
    ReasoningDelta,
    RunError,
    RunFinished,
    RunStarted,
    SourceFound,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    ToolCallStarted,
    ToolFailed,
    ToolFinished,
)
from ..serialize import to_json
from ._content import (
    Block,
    inline_block,
    media_block,
    neutral_message,
    refused,
    text_block,
    text_of,
)
from ._format import Format, FormatRequest, RunSpec
from ._openai_messages import tool_calls, with_answers_in_place
from ._sse import ShortIds, data_frame, error_text, short_id

Frame = dict[str, Any]


class AguiFormat(Format):
    """Messages, reasoning, tool calls and results, steps, custom events, state.

    Sources and files are custom events, ``source`` and ``file``. The state is sent as snapshots
    where the route asks its graph for the stream mode ``values``, without the messages. The
    client's own tools go to a chat model, or into a graph's state; a run in which one is called
    ends with the calls that the client has to answer.
    """

    endpoints = (("POST", ""),)
    converses = True
    system_messages = False
    wants = ALL_EVENTS | {OutputChunk}

    def __init__(self) -> None:
        self._about: Frame = {}
        self._theirs: frozenset[str] = frozenset()
        self._ids = ShortIds()
        self._speakers: set[str] = set()
        """The models and the run itself, for whose messages no graph knows an id."""
        self._heads: dict[str, str] = {}
        self._pending: list[str] = []
        self._knows_pending = False
        self._steps: dict[str, str] = {}
        self._usage: list[Frame] = []

    def parse(self, asked: FormatRequest) -> RunSpec:
        body = asked.body
        if not isinstance(body, dict):
            raise refused("body", "expected a RunAgentInput")
        self._about = {name: text_of(name, body.get(name)) for name in ("threadId", "runId")}
        if body.get("resume"):
            raise refused("resume", "this server keeps no threads, so there is nothing to resume")
        # Clients before 1.0 refuse what they do not know.
        self._knows_pending = "protocolVersion" in body
        tools = body.get("tools") or []
        if not isinstance(tools, list):
            raise refused("tools", "expected a list")
        self._theirs = frozenset(_tool_name(n, tool) for n, tool in enumerate(tools))
        state = body.get("state")
        forwarded = body.get("forwardedProps")
        given = forwarded if isinstance(forwarded, dict) else {}
        context, dropped = body.get("context") or [], set[str]()
        if not isinstance(context, list):
            raise refused("context", "expected a list")
        return RunSpec(
            messages=conversation(body.get("messages"), dropped),
            context=context,
            dropped=dropped,
            state=state if isinstance(state, dict) else {},
            tools=[{"type": "function", "function": _function(tool)} for tool in tools],
            configurable={key: given[key] for key in asked.configurable if key in given},
            gathered=False,
            thread=self._about["threadId"] or None,
        )

    def encode(self, event: Event) -> bytes:
        if isinstance(event, TextDelta):
            head = self._heads.get(event.block) or self._head(event)
            return f"{head}{encode_basestring_ascii(event.text)}}}\n\n".encode()
        return b"".join(map(data_frame, self._frames(event)))

    def _head(self, event: TextDelta) -> str:
        """The beginning of the frames of a message's text."""
        id_ = encode_basestring_ascii(self._message_id(event.step.run_id, event.block))
        head = f'data: {{"type":"TEXT_MESSAGE_CONTENT","messageId":{id_},"delta":'
        self._heads[event.block] = head
        return head

    def _message_id(self, step: str, block: str) -> str:
        """The id of a message, which no other message of the client's thread has.

        A message that no model has made, but a graph's code, has the id that its state knows.
        """
        return self._ids[block] if step in self._speakers else block

    def _frames(self, event: Event) -> Iterator[Frame]:
        match event:
            case RunStarted(run_id=run_id):
                self._ids.prefix = short_id(run_id, 6)
                self._speakers.add(run_id)
                yield {"type": "RUN_STARTED", **self._about}
            case ModelStarted(step=step):
                self._speakers.add(step.run_id)
            case NodeStarted(step=step):
                name = self._free_name(step.name)
                self._steps[step.run_id] = name
                yield {"type": "STEP_STARTED", "stepName": name}
            case NodeFinished(step=step):
                yield {"type": "STEP_FINISHED", "stepName": self._steps.pop(step.run_id, step.name)}
            case ModelFinished():
                self._count(event)
            case OutputChunk(mode="values", data=data) if isinstance(data, Mapping):
                # Keys with two underscores are LangGraph's own: "__interrupt__" comes at the end.
                hidden = {key for key in data if key == "messages" or str(key).startswith("__")}
                state = {key: value for key, value in data.items() if key not in hidden}
                yield {"type": "STATE_SNAPSHOT", "snapshot": state}
            case Custom(name=name, data=data):
                yield {"type": "CUSTOM", "name": name, "value": data}
            case SourceFound(source_id=id_, title=title, url=url):
                source = {"id": id_, "title": title} | ({"url": url} if url else {})
                yield {"type": "CUSTOM", "name": "source", "value": source}
            case FileMade(media_type=media_type, url=url):
                file = {"mediaType": media_type, "url": url}
                yield {"type": "CUSTOM", "name": "file", "value": file}
            case RunFinished():
                yield self._finished(event)
            case RunError(code=code):
                yield {"type": "RUN_ERROR", "message": error_text(event), "code": code}
            case _:
                yield from self._said(event)
                yield from self._tools(event)

    def _said(self, event: Event) -> Iterator[Frame]:
        match event:
            case BlockStarted(step=step, kind="text"):
                begun = {**self._about_block(event), "role": "assistant"}
                name = {"name": step.agent} if step.agent else {}
                yield {"type": "TEXT_MESSAGE_START", **begun, **name}
            case BlockFinished(kind="text"):
                yield {"type": "TEXT_MESSAGE_END", **self._about_block(event)}
            case BlockStarted():
                about = self._about_block(event)
                yield {"type": "REASONING_START", **about}
                yield {"type": "REASONING_MESSAGE_START", **about, "role": "reasoning"}
            case ReasoningDelta(text=text):
                about = self._about_block(event)
                yield {"type": "REASONING_MESSAGE_CONTENT", **about, "delta": text}
            case BlockFinished():
                about = self._about_block(event)
                yield {"type": "REASONING_MESSAGE_END", **about}
                yield {"type": "REASONING_END", **about}

    def _about_block(self, event: BlockStarted | ReasoningDelta | BlockFinished) -> Frame:
        return {"messageId": self._message_id(event.step.run_id, event.block)}

    def _tools(self, event: Event) -> Iterator[Frame]:
        match event:
            case ToolCallStarted(call_id=id_, name=name, message=message):
                if name in self._theirs:
                    self._pending.append(id_)
                # Calls of one message stay together, so that their results can follow them.
                parent = {"parentMessageId": self._message_id(message, message)} if message else {}
                named = {"toolCallId": id_, "toolCallName": name}
                yield {"type": "TOOL_CALL_START", **named, **parent}
            case ToolCallDelta(call_id=id_, text=text):
                yield {"type": "TOOL_CALL_ARGS", "toolCallId": id_, "delta": text}
            case ToolCalled(call_id=id_):
                yield {"type": "TOOL_CALL_END", "toolCallId": id_}
            case ToolFinished(call_id=id_, output=output):
                self._answered(id_)
                said = output if isinstance(output, str) else to_json(output).decode()
                yield self._result(id_, said)
            case ToolFailed(call_id=id_, message=message):
                self._answered(id_)
                yield self._result(id_, message)

    def _answered(self, call_id: str) -> None:
        """A tool of the graph's own, that has the name of one of the client's, has been run."""
        if call_id in self._pending:
            self._pending.remove(call_id)

    def _result(self, call_id: str, content: str) -> Frame:
        about = {"messageId": f"{call_id}-result", "toolCallId": call_id}
        return {"type": "TOOL_CALL_RESULT", **about, "content": content, "role": "tool"}

    def _finished(self, event: RunFinished) -> Frame:
        outcome: Frame = {"type": "success"}
        if event.interrupts:
            asked = [_interrupt(each.id, each.value) for each in event.interrupts]
            outcome = {"type": "interrupt", "interrupts": asked}
        elif self._pending and self._knows_pending:
            outcome["pendingToolCallIds"] = self._pending
        usage = {"usage": self._usage} if self._usage else {}
        return {"type": "RUN_FINISHED", **self._about, "outcome": outcome, **usage}

    def _free_name(self, name: str) -> str:
        """`name`, with a number if a step of that name is open."""
        taken = set(self._steps.values())
        number, free = 1, name
        while free in taken:
            number += 1
            free = f"{name} ({number})"
        return free

    def _count(self, event: ModelFinished) -> None:
        usage = event.usage
        inner = usage.get("input_token_details") or {}, usage.get("output_token_details") or {}
        told = {
            "provider": event.provider,
            "model": event.model,
            "inputTokens": usage.get("input_tokens"),
            "outputTokens": usage.get("output_tokens"),
            "totalTokens": usage.get("total_tokens"),
            "cachedInputTokens": inner[0].get("cache_read"),
            "reasoningTokens": inner[1].get("reasoning"),
        }
        if usage:
            self._usage.append({key: value for key, value in told.items() if value is not None})


def conversation(messages: Any, dropped: set[str]) -> list[Any]:
    """AG-UI's messages as neutral ones.

    Args:
        messages: A list of them.
        dropped: Takes the kinds of messages that are left out.

    Raises:
        InvalidInput: They are not such messages. The error names the place.
    """
    if not isinstance(messages, list):
        raise refused("messages", "expected a list of messages")
    said = []
    for n, message in enumerate(messages):
        path = f"messages.{n}"
        role = message.get("role") if isinstance(message, dict) else None
        match role:
            case "activity" | "reasoning":
                dropped.add(f"messages of the role {role}")
            case "developer" | "system" | "user" | "assistant" | "tool":
                said.append(_message(path, role, message))
            case _:
                raise refused(f"{path}.role", "expected a role of AG-UI's messages")
    return with_answers_in_place(said)


def _message(path: str, role: str, message: Mapping[str, Any]) -> dict[str, Any]:
    said = neutral_message(path, message, _block)
    if isinstance(message.get("id"), str):
        said["id"] = message["id"]
    if role == "tool":
        said["tool_call_id"] = text_of(f"{path}.toolCallId", message.get("toolCallId"))
        said["status"] = "error" if message.get("error") else "success"
    if calls := message.get("toolCalls"):
        said["tool_calls"] = tool_calls(f"{path}.toolCalls", calls)
    return said


def _block(path: str, part: Any) -> Block:
    match part:
        case {"type": "text", "text": text}:
            return text_block(f"{path}.text", text)
        case {
            "type": "image" | "audio" | "video" | "document" as kind,
            "source": {"type": "data" | "url" as how, "value": value, **about},
        }:
            media_type = about.get("mimeType") or ("" if kind == "document" else f"{kind}/*")
            place = f"{path}.source.value"
            if how == "data":
                return inline_block(place, text_of(f"{path}.source.mimeType", media_type), value)
            return media_block(place, text_of(f"{path}.source.mimeType", media_type), value)
    raise refused(path, "expected text, or image, audio, video or document with data or a URL")


def _tool_name(n: int, tool: Any) -> str:
    return text_of(f"tools.{n}.name", tool.get("name") if isinstance(tool, dict) else None)


def _function(tool: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": tool["name"],
        "description": str(tool.get("description") or ""),
        "parameters": tool.get("parameters") or {"type": "object", "properties": {}},
    }


def _interrupt(id_: str, value: Any) -> Frame:
    message = {"message": value} if isinstance(value, str) else {}
    return {"id": id_, "reason": "interrupt", **message, "metadata": {"value": value}}

"""The output items of a response of OpenAI's that are calls of tools, or ask the client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...events import (
    Event,
    Interrupt,
    ToolCallDelta,
    ToolCalled,
    ToolCallResumed,
    ToolCallStarted,
    ToolFailed,
    ToolFinished,
)
from ...serialize import text_or_json, to_json
from .._open_calls import OpenCalls
from .item_list import ItemList
from .open_items import Emitted, OpenItem, arguments_event
from .questions import approval_request, is_approvable, question
from .tools import SERVER_LABEL, ClientTool, custom_input

CUSTOM = "custom_tool_call"


class CallItems:
    """Makes the items of calls.

    The call of a client's tool is a function call or a custom tool call. A call that the run
    executes itself is an ``mcp_call``, which OpenAI's clients leave to the server; here it has a
    ``call_id`` too. It is output once it has a result.

    Args:
        items: Takes the items.
        client_tools: The tools that the client executes, by the names that the model calls.
        approvals: The ids of the requests by which calls were approved, by the ids of the calls.
    """

    def __init__(
        self, items: ItemList, client_tools: Mapping[str, ClientTool], approvals: Mapping[str, str]
    ) -> None:
        self._items = items
        self._client_tools = client_tools
        self._approvals = approvals
        self._waiting = OpenCalls()
        self._calls: dict[str, OpenItem] = {}

    def of(self, event: Event) -> Emitted:
        """Yield the events of the stream that an event about a call becomes."""
        match event:
            case ToolCallStarted(call_id=id_, name=name, message=model):
                yield from self._begin_call(id_, name, model, at_client=event.at_client)
            case ToolCallDelta(call_id=id_, text=text):
                growing = self._calls[id_]
                growing.pieces.append(text)
                if growing.item["type"] != CUSTOM:  # whose input is only a part of the arguments
                    yield (
                        f"response.{arguments_event(growing)}.delta",
                        {**growing.at, "delta": text},
                    )
            case ToolCalled(call_id=id_, name=name, arguments=arguments):
                self._waiting[id_] = name, arguments
                yield from self._called(self._calls[id_], arguments)
            case ToolCallResumed(call_id=id_, name=name, arguments=arguments):
                yield from self._begin_call(id_, name, "")
                yield from self._called(self._calls[id_], arguments)
            case ToolFinished(call_id=id_, output=output):
                result = text_or_json(output)
                yield from self._executed(self._calls.pop(id_), "completed", output=result)
            case ToolFailed(call_id=id_, message=message):
                content = [{"type": "text", "text": message}]
                error = {"type": "mcp_tool_execution_error", "content": content}
                yield from self._executed(self._calls.pop(id_), "failed", error=error)

    def questions(self, interrupts: Sequence[Interrupt]) -> Emitted:
        """Yield the events of the items by which a graph that has stopped asks its client."""
        for interrupt in interrupts:
            calls = self._waiting.take(interrupt.approvals) if is_approvable(interrupt) else []
            for call_id, approval in calls:
                request = approval_request(approval, call_id, SERVER_LABEL)
                growing = yield from self._items.begin("", "mcpr", request)
                yield self._items.done(growing)
            if not calls:
                item = question(interrupt, self._items.run)
                arguments = item["arguments"]
                item |= {"arguments": "", "status": "in_progress"}
                growing = yield from self._items.begin("", "fc", item)
                growing.pieces.append(arguments)
                delta = {**growing.at, "delta": growing.text}
                yield "response.function_call_arguments.delta", delta
                yield from self._called(growing, None)

    def _begin_call(
        self, call_id: str, name: str, model: str, *, at_client: bool = False
    ) -> Emitted:
        if at_client:
            prefix, item = self._client_tools[name].item(call_id)
        else:
            about = {"call_id": call_id, "name": name, "arguments": "", "status": "in_progress"}
            results = {"output": None, "error": None, "server_label": SERVER_LABEL}
            if call_id in self._approvals:
                results["approval_request_id"] = self._approvals[call_id]
            prefix, item = "mcp", {"type": "mcp_call", **about, **results}
        self._calls[call_id] = yield from self._items.begin(model, prefix, item)

    def _called(self, growing: OpenItem, arguments: Any) -> Emitted:
        text = growing.text or to_json(arguments).decode()
        if growing.item["type"] == CUSTOM:
            text = growing.item["input"] = custom_input(text)
            yield "response.custom_tool_call_input.delta", {**growing.at, "delta": text}
            yield "response.custom_tool_call_input.done", {**growing.at, "input": text}
        else:
            growing.item["arguments"] = text
            yield f"response.{arguments_event(growing)}.done", {**growing.at, "arguments": text}
        if growing.item["type"] == "mcp_call":
            yield "response.mcp_call.in_progress", growing.at
        else:
            yield from self._items.end(growing)

    def _executed(self, growing: OpenItem, status: str, **result: Any) -> Emitted:
        self._waiting.pop(growing.item["call_id"], None)
        if growing.item["type"] == "mcp_call":  # else it has the name of a client's tool
            growing.item.update(result, status=status)
            yield f"response.mcp_call.{status}", growing.at
            yield self._items.done(growing)

"""The output items of a response of OpenAI's, as they grow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...events import (
    BlockFinished,
    BlockStarted,
    Event,
    FileMade,
    Interrupt,
    ReasoningDelta,
    SourceFound,
    TextDelta,
    TextDiscarded,
    ToolCallDelta,
    ToolCalled,
    ToolCallResumed,
    ToolCallStarted,
    ToolFailed,
    ToolFinished,
)
from ...serialize import to_json
from .._open_calls import OpenCalls
from .growing import (
    Emitted,
    Growing,
    Item,
    arguments_event,
    summary,
    text_part,
    whole_item,
)
from .questions import approval_request, is_approvable, question
from .tools import ClientTool, custom_input

CUSTOM = "custom_tool_call"
SERVER_LABEL = "asgi_stream"
"""The MCP server by which, to clients, the run's own tools are executed."""


class OutputItems:
    """Makes the items of one response, and the events by which they grow.

    A text is a message, reasoning is a summary, the call of a client's tool is a function call or
    a custom tool call. A call that the run executes itself is an ``mcp_call``, which OpenAI's
    clients leave to the server; here it has a ``call_id`` too. It is output once it has a result.

    Args:
        run: The run's id, in hex. The ids of the items consist of it and their index.
        client_tools: The tools that the client executes, by the names that the model calls.
        approvals: The ids of the requests by which calls were approved, by the ids of the calls.

    Attributes:
        output: The items that are complete, in the order in which they have begun.
    """

    def __init__(
        self,
        run: str,
        client_tools: Mapping[str, ClientTool],
        approvals: Mapping[str, str] | None = None,
    ) -> None:
        self._run = run
        self._client_tools = client_tools
        self._approvals = approvals or {}
        self._waiting = OpenCalls()
        self._begun = 0
        self._open: dict[str, Growing] = {}
        self._calls: dict[str, Growing] = {}
        self._complete: list[Growing] = []
        self._discarded: set[str] = set()
        self._sources: list[Item] = []

    @property
    def output(self) -> list[Item]:
        kept = (each for each in self._complete if each.model not in self._discarded)
        return [each.item for each in sorted(kept, key=lambda each: each.index)]

    def text(self, event: TextDelta) -> tuple[str, int]:
        """Take a piece of text; return the id and the index of its item."""
        growing = self._open[event.block]
        growing.pieces.append(event.text)
        return growing.item["id"], growing.index

    def of(self, event: Event) -> Emitted:
        """Yield the events of the stream that an event of the run becomes."""
        match event:
            case TextDelta(text=text):
                item_id, index = self.text(event)
                content = {"item_id": item_id, "output_index": index, "content_index": 0}
                yield "response.output_text.delta", {**content, "delta": text, "logprobs": []}
            case BlockStarted(step=step, block=block, kind="text"):
                message = {"role": "assistant", "status": "in_progress", "content": []}
                yield from self._begin(block, step.run_id, "msg", {"type": "message", **message})
                content = {**self._open[block].at, "content_index": 0}
                yield "response.content_part.added", {**content, "part": text_part("", [])}
            case BlockStarted(step=step, block=block):
                reasoning = {"type": "reasoning", "summary": []}
                yield from self._begin(block, step.run_id, "rs", reasoning)
                part = {"summary_index": 0, "part": summary("")}
                at = self._open[block].at
                yield "response.reasoning_summary_part.added", {**at, **part}
            case ReasoningDelta(block=block, text=text):
                growing = self._open[block]
                growing.pieces.append(text)
                delta = {"summary_index": 0, "delta": text}
                yield "response.reasoning_summary_text.delta", {**growing.at, **delta}
            case BlockFinished(block=block):
                yield from self._end_block(self._open.pop(block))
            case SourceFound(url=str(url), title=title):
                self._sources.append({"type": "url_citation", "url": url, "title": title})
            case FileMade(step=step, media_type=kind, url=url) if kind.startswith("image/"):
                yield from self._image(step.run_id, url)
            case TextDiscarded(step=step):
                self._discarded.add(step.run_id)
            case _:
                yield from self._of_tools(event)

    def cut(self) -> Emitted:
        """Yield the events that close the items which a failure has left open."""
        for growing in self._open.values():
            growing.item["status"] = "incomplete"
            yield from self._end_block(growing)

    def questions(self, interrupts: Sequence[Interrupt]) -> Emitted:
        """Yield the events of the items by which a graph that has stopped asks its client."""
        for interrupt in interrupts:
            calls = self._waiting.take(interrupt.approvals) if is_approvable(interrupt) else []
            for call_id, approval in calls:
                request = approval_request(approval, call_id, SERVER_LABEL)
                growing = self._new("", "mcpr", request)
                yield whole_item("added", growing)
                yield self._done(growing)
            if not calls:
                item = question(interrupt, self._run)
                growing = self._new("", "fc", {**item, "arguments": "", "status": "in_progress"})
                growing.pieces.append(item["arguments"])
                yield whole_item("added", growing)
                delta = {**growing.at, "delta": growing.text}
                yield "response.function_call_arguments.delta", delta
                yield from self._called(growing, None)

    def _of_tools(self, event: Event) -> Emitted:
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
                text = output if isinstance(output, str) else to_json(output).decode()
                yield from self._executed(self._calls.pop(id_), "completed", output=text)
            case ToolFailed(call_id=id_, message=message):
                content = [{"type": "text", "text": message}]
                error = {"type": "mcp_tool_execution_error", "content": content}
                yield from self._executed(self._calls.pop(id_), "failed", error=error)

    def _begin(self, key: str, model: str, prefix: str, item: Item) -> Emitted:
        growing = self._new(model, prefix, item)
        self._open[key] = growing
        yield whole_item("added", growing)

    def _new(self, model: str, prefix: str, item: Item) -> Growing:
        item = {"id": f"{prefix}_{self._run}{self._begun}", **item}
        self._begun += 1
        return Growing(item, self._begun - 1, model)

    def _begin_call(
        self, call_id: str, name: str, model: str, *, at_client: bool = False
    ) -> Emitted:
        if at_client:
            growing = self._new(model, *self._client_tools[name].item(call_id))
        else:
            about = {"call_id": call_id, "name": name, "arguments": "", "status": "in_progress"}
            results = {"output": None, "error": None, "server_label": SERVER_LABEL}
            if call_id in self._approvals:
                results["approval_request_id"] = self._approvals[call_id]
            growing = self._new(model, "mcp", {"type": "mcp_call", **about, **results})
        self._calls[call_id] = growing
        yield whole_item("added", growing)

    def _called(self, growing: Growing, arguments: Any) -> Emitted:
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
            yield self._done(growing)

    def _executed(self, growing: Growing, status: str, **result: Any) -> Emitted:
        self._waiting.pop(growing.item["call_id"], None)
        if growing.item["type"] == "mcp_call":  # else it has the name of a client's tool
            growing.item.update(result, status=status)
            yield f"response.mcp_call.{status}", growing.at
            yield self._done(growing)

    def _end_block(self, growing: Growing) -> Emitted:
        text, at = growing.text, growing.at
        if growing.item["type"] == "reasoning":
            at["summary_index"] = 0
            yield "response.reasoning_summary_text.done", {**at, "text": text}
            yield "response.reasoning_summary_part.done", {**at, "part": summary(text)}
            growing.item["summary"] = [summary(text)]
        else:
            at["content_index"] = 0
            span = {"start_index": 0, "end_index": len(text)}
            sources, self._sources = [{**each, **span} for each in self._sources], []
            for index, source in enumerate(sources):
                content = {"annotation_index": index, "annotation": source}
                yield "response.output_text.annotation.added", {**at, **content}
            yield "response.output_text.done", {**at, "text": text, "logprobs": []}
            part = text_part(text, sources)
            yield "response.content_part.done", {**at, "part": part}
            growing.item["content"] = [part]
        yield self._done(growing)

    def _image(self, model: str, url: str) -> Emitted:
        item = {"type": "image_generation_call", "status": "in_progress", "result": None}
        growing = self._new(model, "ig", item)
        yield whole_item("added", growing)
        growing.item |= {"status": "completed", "result": url.partition(",")[2] or url}
        yield self._done(growing)

    def _done(self, growing: Growing) -> tuple[str, dict[str, Any]]:
        if growing.item.get("status") == "in_progress":
            growing.item["status"] = "completed"
        self._complete.append(growing)
        return whole_item("done", growing)

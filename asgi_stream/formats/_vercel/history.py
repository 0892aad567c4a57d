"""A thread as the ``UIMessage`` list that ``useChat`` starts with after a reload.

https://ai-sdk.dev/docs/ai-sdk-ui/chatbot-message-persistence, read in npm ``ai`` 7.0.173.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...events import Interrupt
from .._open_calls import OpenCalls
from .._sse import time_of
from .._threads import ThreadView
from .._usage import add_usage
from .approvals import Part, descriptor, interrupt_part

TITLE_CHARACTERS = 100

UNFINISHED = "The run has ended without a result of this tool call."


def answer_id(messages: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the id of the answer to a conversation, which is the same after a reload.

    An id of the run would not be: a thread does not have it. ``useChat`` replaces the message that
    has the same id when it resumes a stream.
    """
    ids = (each.get("id") for each in reversed(messages) if each["role"] == "user")
    last = next(ids, None)
    return f"{last}-answer" if last else None


def chat_document(view: ThreadView, *, approves: bool) -> dict[str, Any]:
    """Return a chat with its messages.

    Args:
        view: The thread, with its messages.
        approves: Whether the client knows approvals of tool calls.
    """
    return {"id": view.record.thread_id, "messages": _Transcript(view, approves).messages}


def source_part(
    source_id: str, title: str, url: str | None, media_type: str = "text/plain"
) -> Part:
    """Return the part for a source: a page of the web, or a document."""
    about = {"sourceId": source_id, "title": title}
    if url is None:
        return {"type": "source-document", "mediaType": media_type, **about}
    return {"type": "source-url", "url": url, **about}


def chat_summary(view: ThreadView) -> dict[str, Any]:
    """Return a chat as it appears in a list."""
    record = view.record
    title = record.metadata.get("title") or _title(view.messages)
    return {
        "id": record.thread_id,
        **({"title": title} if title else {}),
        "created": time_of(record.created),
        "updated": time_of(record.updated),
        "status": view.status,
    }


def _title(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the beginning of the user's first message, in one line."""
    for each in messages:
        if each["role"] == "user":
            texts = (block["text"] for block in each["content"] if block["type"] == "text")
            return " ".join(" ".join(texts).split())[:TITLE_CHARACTERS]
    return ""


class _Transcript:
    """Makes one assistant message of all that follows a message of the user.

    Args:
        view: The thread, with its messages.
        approves: Whether the client knows approvals of tool calls.
    """

    def __init__(self, view: ThreadView, approves: bool) -> None:
        self.messages: list[dict[str, Any]] = []
        self._approves = approves
        self._calls: dict[str, Part] = {}
        """The parts of the tool calls without a result."""
        for each in view.messages:
            self._add(each)
        calls = {id_: (part["toolName"], part["input"]) for id_, part in self._calls.items()}
        self._open = OpenCalls(calls)
        waits = False
        # While a run has the thread, they have their answers, or it starts over.
        for interrupt in view.interrupts if view.record.status != "busy" else ():
            if approves and self._ask(interrupt):
                waits = True
            else:
                self._answer("").append(interrupt_part(interrupt))
        for call_id in self._open if waits else ():
            # The client answers when all calls of the last step are decided or have a result.
            automatic = {"id": call_id, "approved": True, "isAutomatic": True}
            self._calls[call_id] |= {"state": "approval-responded", "approval": automatic}
        if not view.interrupts and view.record.status != "busy":
            for part in self._calls.values():  # of a run that was stopped, or failed
                part |= {"state": "output-error", "errorText": UNFINISHED}

    def _add(self, message: Mapping[str, Any]) -> None:
        match message:
            case {"role": "user", "id": id_, "content": content}:
                parts = list(_content_parts(content))
                self.messages.append({"id": id_, "role": "user", "parts": parts})
            case {"role": "assistant", "content": content, "tool_calls": calls}:
                parts = self._answer(str(message["id"]))
                parts.append({"type": "step-start"})
                for block in content:
                    if block["type"] == "server_tool_call":
                        parts.append(self._call(block))
                    elif block["type"] == "server_tool_result":
                        failed = block.get("status") == "error"
                        self._result(block["tool_call_id"], block.get("output"), failed)
                    elif block["type"] == "source":
                        self._cite(parts, block["title"], block["url"])
                    else:
                        parts += _content_parts([block], streamed=True)
                parts += map(self._call, calls)
                self._count(message.get("usage") or {})
            case {"denied": True, "tool_call_id": call_id} if self._approves:
                if part := self._calls.pop(call_id, None):
                    approval = {"id": call_id, "approved": False}
                    part |= {"state": "output-denied", "approval": approval}
            case _:
                failed = message["status"] == "error"
                self._result(message["tool_call_id"], message["content"], failed)

    def _answer(self, id_: str) -> list[Part]:
        """Return the parts of the assistant's message at the end; of a new one if there is none."""
        if not self.messages or self.messages[-1]["role"] != "assistant":
            id_ = answer_id(self.messages) or id_ or "answer"
            self.messages.append({"id": id_, "role": "assistant", "parts": []})
        parts: list[Part] = self.messages[-1]["parts"]
        return parts

    def _call(self, call: Mapping[str, Any]) -> Part:
        part = self._calls[str(call["id"])] = {
            "type": "dynamic-tool",
            "toolName": call["name"],
            "toolCallId": call["id"],
            "state": "input-available",
            "input": call["args"],
            "providerExecuted": True,
        }
        return part

    def _result(self, call_id: str, output: Any, failed: bool) -> None:
        if part := self._calls.pop(call_id, None):
            state = {"state": "output-error", "errorText": str(output)}
            part |= state if failed else {"state": "output-available", "output": output}

    def _cite(self, parts: list[Part], title: str, url: str | None) -> None:
        """Show a source, once in each message of the assistant's."""
        number = 1 + sum(part["type"].startswith("source-") for part in parts)
        source = source_part(f"source-{number}", title, url)
        if all({**part, "sourceId": source["sourceId"]} != source for part in parts):
            parts.append(source)

    def _count(self, usage: Mapping[str, Any]) -> None:
        """Add the usage of a model to that of the message at the end."""
        total = self.messages[-1].get("metadata", {"usage": {}})
        add_usage(total["usage"], usage)
        if total["usage"]:
            self.messages[-1]["metadata"] = total

    def _ask(self, interrupt: Interrupt) -> bool:
        """Show that calls wait for approval; return False if it is not known which ones."""
        calls = self._open.take(interrupt.approvals)
        for call_id, approval in calls:
            if call_id not in self._calls:  # made in a subgraph, with messages of its own
                call = {"id": call_id, "name": approval.name, "args": approval.arguments}
                self._answer("").append(self._call(call))
            reason = {"requestReason": approval.description} if approval.description else {}
            about = {"id": call_id, "descriptor": descriptor(interrupt, approval), **reason}
            self._calls[call_id] |= {"state": "approval-requested", "approval": about}
        return bool(calls)


def _content_parts(
    content: Sequence[Mapping[str, Any]], *, streamed: bool = False
) -> Iterator[Part]:
    state = {"state": "done"} if streamed else {}
    for block in content:
        match block:
            case {"type": "text" | "reasoning" as type_}:
                yield {"type": type_, "text": block[type_], **state}
            case _:
                name = block.get("filename") or (block.get("extras") or {}).get("filename")
                label = {"filename": name} if name else {}
                yield {
                    "type": "file",
                    "mediaType": block["mime_type"],
                    "url": block["url"],
                    **label,
                }

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
    ModelFinished,
    ModelStarted,
    ReasoningDelta,
    SourceFound,
    Step,
    TextDelta,
    TextDiscarded,
)
from .call_items import CallItems
from .decoder import INCOMPLETE
from .item_list import ItemList
from .open_items import Emitted, Item, OpenItem, summary, text_part
from .tools import ClientTool

CUT = (*INCOMPLETE, "error")
"""The reasons for which a model stops before its answer is complete."""


class OutputItems:
    """Makes the items of one response, and the events by which they grow.

    A text is a message, reasoning is a summary; for calls see `CallItems`.

    Args:
        run: The run's id, in hex.
        client_tools: The tools that the client executes, by the names that the model calls.
        approvals: The ids of the requests by which calls were approved, by the ids of the calls.
    """

    def __init__(
        self,
        run: str,
        client_tools: Mapping[str, ClientTool],
        approvals: Mapping[str, str] | None = None,
    ) -> None:
        self._items = ItemList(run)
        self._calls = CallItems(self._items, client_tools, approvals or {})
        self._open: dict[str, OpenItem] = {}
        self._sources: dict[str, list[Item]] = {}
        """The sources that no text has yet, by the run id of the model that cites them."""

    @property
    def output(self) -> list[Item]:
        """Return the items that are complete, in the order in which they have begun."""
        return self._items.output

    def text(self, event: TextDelta) -> tuple[str, int]:
        """Take a piece of text; return the id and the index of its item."""
        growing = self._open[event.block]
        growing.pieces.append(event.text)
        return growing.item["id"], growing.index

    def of(self, event: Event) -> Emitted:
        """Yield the events of the stream that an event of the run becomes."""
        match event:
            case ModelStarted(step=step):
                self._items.model_started(step.run_id)
            case ModelFinished(step=step, reason=reason):
                yield from self._items.model_ended(step.run_id, cut=reason in CUT)
            case TextDelta(text=text):
                item_id, index = self.text(event)
                content = {"item_id": item_id, "output_index": index, "content_index": 0}
                yield "response.output_text.delta", {**content, "delta": text, "logprobs": []}
            case BlockStarted():
                yield from self._begin_block(event)
            case ReasoningDelta(block=block, text=text):
                growing = self._open[block]
                growing.pieces.append(text)
                delta = {"summary_index": 0, "delta": text}
                yield "response.reasoning_summary_text.delta", {**growing.at, **delta}
            case BlockFinished(block=block):
                yield from self._end_block(self._open.pop(block))
            case SourceFound(step=step, url=str(url), title=title):
                source = {"type": "url_citation", "url": url, "title": title}
                self._sources.setdefault(_citing(step), []).append(source)
            case FileMade(step=step, media_type=kind, url=url) if kind.startswith("image/"):
                yield from self._image(step, kind, url)
            case TextDiscarded(step=step, revised=None):
                self._items.discard(step.run_id)
            case TextDiscarded(step=step, revised=str(text)):
                self._items.revise(step.run_id, [text_part(text, [])] if text else [])
            case _:
                yield from self._calls.of(event)

    def close(self, interrupts: Sequence[Interrupt]) -> Emitted:
        """Yield the events at the end of a run that has not failed: what it asks the client."""
        yield from self._items.close(cut=False)
        yield from self._calls.questions(interrupts)

    def cut(self) -> Emitted:
        """Yield the events that close the items which a failure has left open."""
        for growing in self._open.values():
            growing.item["status"] = "incomplete"
            yield from self._end_block(growing)
        yield from self._items.close(cut=True)

    def _begin_block(self, event: BlockStarted) -> Emitted:
        model, block = event.step.run_id, event.block
        if event.kind == "text":
            message = {"role": "assistant", "status": "in_progress", "content": []}
            item = {"type": "message", **message}
            growing = self._open[block] = yield from self._items.begin(model, "msg", item)
            content = {"content_index": 0, "part": text_part("", [])}
            yield "response.content_part.added", {**growing.at, **content}
        else:
            item = {"type": "reasoning", "summary": []}
            growing = self._open[block] = yield from self._items.begin(model, "rs", item)
            part = {"summary_index": 0, "part": summary("")}
            yield "response.reasoning_summary_part.added", {**growing.at, **part}

    def _end_block(self, growing: OpenItem) -> Emitted:
        text, at = growing.text, growing.at
        if growing.item["type"] == "reasoning":
            at["summary_index"] = 0
            yield "response.reasoning_summary_text.done", {**at, "text": text}
            yield "response.reasoning_summary_part.done", {**at, "part": summary(text)}
            growing.item["summary"] = [summary(text)]
        else:
            at["content_index"] = 0
            sources = self._sources_of(growing.model, len(text))
            for index, source in enumerate(sources):
                content = {"annotation_index": index, "annotation": source}
                yield "response.output_text.annotation.added", {**at, **content}
            yield "response.output_text.done", {**at, "text": text, "logprobs": []}
            part = text_part(text, sources)
            yield "response.content_part.done", {**at, "part": part}
            growing.item["content"] = [part]
        yield from self._items.end(growing)

    def _sources_of(self, model: str, length: int) -> list[Item]:
        """Take the sources of a text: those that its model cites, and those of retrievers."""
        span = {"start_index": 0, "end_index": length}
        sources = [*self._sources.pop("", ()), *self._sources.pop(model, ())]
        return [{**each, **span} for each in sources]

    def _image(self, model: Step, kind: str, url: str) -> Emitted:
        """Yield the events of an image; to clients, the result of its item is always base64."""
        if not url.startswith("data:"):
            yield from self._link(model, f"![]({url})")
            return
        item: dict[str, Any] = {"type": "image_generation_call", "status": "in_progress"}
        growing = yield from self._items.begin(model.run_id, "ig", {**item, "result": None})
        about = {"result": url.partition(",")[2], "output_format": kind.removeprefix("image/")}
        growing.item |= {"status": "completed", **about}
        yield self._items.done(growing)

    def _link(self, model: Step, text: str) -> Emitted:
        """Yield the events of a message in one piece."""
        block = f"{model.run_id}-file"
        for event in (
            BlockStarted(model, block, "text"),
            TextDelta(model, text, block),
            BlockFinished(model, block, "text"),
        ):
            yield from self.of(event)


def _citing(step: Step) -> str:
    """Return the run id of the model that cites a source; "" for the source of a retriever."""
    return step.run_id if step.type in ("chat_model", "llm") else ""

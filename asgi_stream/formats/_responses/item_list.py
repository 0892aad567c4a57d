"""The list of the output items of a response of OpenAI's: how each begins and ends."""

from __future__ import annotations

from .open_items import Begins, Emitted, Item, OpenItem, Sent, whole_item


class ItemList:
    """The items of one response, and which of them are its output.

    What the token limit cuts is the last item of a model. So that item is not output until the
    model says why it has stopped; an item is complete once its model has begun another.

    Args:
        run: The run's id, in hex. The ids of the items consist of it and their index.

    Attributes:
        run: See above.
    """

    def __init__(self, run: str) -> None:
        self.run = run
        self._begun = 0
        self._complete: list[OpenItem] = []
        self._last: dict[str, OpenItem | None] = {}
        """The last item of each running model, if it has one."""
        self._discarded: set[str] = set()
        self._replaced: set[str] = set()
        """The models that had been discarded when the last item began."""

    @property
    def output(self) -> list[Item]:
        """Return the items that are complete, in the order in which they have begun."""
        kept = (each for each in self._complete if each.model not in self._discarded)
        return [each.item for each in sorted(kept, key=lambda each: each.index)]

    def begin(self, model: str, prefix: str, item: Item) -> Begins:
        """Yield the event with which an item begins; return it.

        Args:
            model: Run id of the model call that makes it.
            prefix: What its id begins with.
            item: The item, without its id.
        """
        last = self._last.get(model)
        if last is not None and last.ended:
            yield self.done(last)
        growing = OpenItem({"id": f"{prefix}_{self.run}{self._begun}", **item}, self._begun, model)
        self._begun += 1
        self._replaced = {*self._discarded}
        if model in self._last:
            self._last[model] = growing
        yield whole_item("added", growing)
        return growing

    def end(self, growing: OpenItem) -> Emitted:
        """Yield the event for an item to which nothing is added any more, once it is complete."""
        growing.ended = True
        if self._last.get(growing.model) is not growing:
            yield self.done(growing)

    def done(self, growing: OpenItem) -> Sent:
        """Return the event for an item that is complete."""
        if growing.item.get("status") == "in_progress":
            growing.item["status"] = "completed"
        self._complete.append(growing)
        return whole_item("done", growing)

    def model_started(self, model: str) -> None:
        """Note that a model runs."""
        self._last[model] = None

    def model_ended(self, model: str, *, cut: bool) -> Emitted:
        """Yield the events after which all items of a model are complete.

        Args:
            model: The run id of the model, which has stopped.
            cut: Whether that was before its answer was complete.
        """
        last = self._last.pop(model, None)
        if last is not None and last.ended:
            if cut:
                last.item["status"] = "incomplete"
            yield self.done(last)

    def discard(self, model: str) -> None:
        """Omit the items of a model from the output."""
        self._discarded.add(model)

    def revise(self, model: str, content: list[Item]) -> None:
        """Put `content` in place of the messages of a model."""
        for each in [each for each in self._complete if each.model == model]:
            if each.item["type"] == "message":
                each.item["content"], content = content, []
                if not each.item["content"]:
                    self._complete.remove(each)

    def close(self, *, cut: bool) -> Emitted:
        """Yield the events after which all items are complete, because the run has ended.

        A failure of the run discards all that it has made. What nothing has replaced is kept, as
        the stream has shown it.

        Args:
            cut: Whether the run has failed.
        """
        if cut:
            self._discarded = self._replaced
        for model in tuple(self._last):
            yield from self.model_ended(model, cut=cut)
